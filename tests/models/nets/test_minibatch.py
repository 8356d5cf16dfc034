"""Layers that see the whole batch: sameness shows, order does not matter."""

import pytest
import torch
from torch import nn

from models.nets.dcgan import DcganCritic
from models.nets.layers.minibatch import MinibatchDeviation, MinibatchDiscrimination
from models.nets.mlp import MlpCritic
from models.nets.progressive import ProgressiveCritic
from models.nets.residual import ResidualCritic
from models.spec import nets
from models.spec.nets import BatchLayer


def test_discrimination_is_the_mean_nearness_to_the_others() -> None:
    torch.manual_seed(1)
    layer = MinibatchDiscrimination(5)
    features = torch.randn(4, 5)
    points = layer.kernels(features).view(4, 32, 4)
    expected = torch.zeros(4)
    for i in range(4):
        near = sum((-(points[i] - points[j]).abs().sum(1)).exp() for j in range(4) if j != i)
        expected[i] = (layer.score.weight[0] * near / 3).sum()
    torch.testing.assert_close(layer(features), expected)
    torch.testing.assert_close(layer(features[:1]), torch.zeros(1))


def test_deviation_is_that_of_the_batch() -> None:
    layer = MinibatchDeviation()
    layer.score.data.fill_(1)
    features = torch.randn(6, 5)
    torch.testing.assert_close(layer(features), features.std(0, correction=0).mean().expand(6), atol=1e-6, rtol=1e-4)
    assert layer(features[:1].expand(6, 5)).max() < 1e-3


@pytest.mark.parametrize("mixing", ["none", "discrimination", "deviation"])
@pytest.mark.parametrize("kind", ["mlp", "dcgan", "residual", "progressive"])
def test_a_critic_scores_the_same_picture_by_its_company(kind: str, mixing: BatchLayer) -> None:
    torch.manual_seed(1)
    critics: dict[str, nn.Module] = {
        "mlp": MlpCritic(nets.MlpCritic(minibatch=mixing), (1, 8, 8)),
        "dcgan": DcganCritic(nets.DcganCritic(width=4, norm="none", minibatch=mixing), 8, 1, 0, False),
        "residual": ResidualCritic(nets.ResidualCritic(width=4, minibatch=mixing), 8, 1, 0, False),
        "progressive": ProgressiveCritic(nets.ProgressiveCritic(width=4, minibatch=mixing), 8, 1),
    }
    critic = critics[kind].eval()
    for name, weight in critic.named_parameters():
        if name == "batch_score.score":
            weight.data.fill_(1)
    alike, various = torch.zeros(4, 1, 8, 8), torch.randn(4, 1, 8, 8)
    various[0] = alike[0]
    with torch.no_grad():
        same = torch.allclose(critic(alike).score[0], critic(various).score[0], atol=1e-5)
    assert same == (mixing == "none")
