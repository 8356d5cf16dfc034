"""Layers that compare the examples of a batch: equal examples show, their order does not matter."""

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


def test_minibatch_discrimination_is_the_mean_similarity_to_the_others() -> None:
    torch.manual_seed(1)
    layer = MinibatchDiscrimination(5)
    features = torch.randn(4, 5)
    points = layer.kernels(features).view(4, 32, 4)
    expected = torch.zeros(4)
    for i in range(4):
        similarity = sum((-(points[i] - points[j]).abs().sum(1)).exp() for j in range(4) if j != i)
        expected[i] = (layer.score.weight[0] * similarity / 3).sum()
    torch.testing.assert_close(layer(features), expected)
    torch.testing.assert_close(layer(features[:1]), torch.zeros(1))


def test_minibatch_deviation_is_the_standard_deviation_of_the_batch() -> None:
    layer = MinibatchDeviation()
    layer.score.data.fill_(1)
    features = torch.randn(6, 5)
    torch.testing.assert_close(layer(features), features.std(0, correction=0).mean().expand(6), atol=1e-6, rtol=1e-4)
    assert layer(features[:1].expand(6, 5)).max() < 1e-3


@pytest.mark.parametrize("batch_layer", ["none", "discrimination", "deviation"])
@pytest.mark.parametrize("kind", ["mlp", "dcgan", "residual", "progressive"])
def test_critic_score_depends_on_the_batch_only_with_a_batch_layer(kind: str, batch_layer: BatchLayer) -> None:
    torch.manual_seed(1)
    critics: dict[str, nn.Module] = {
        "mlp": MlpCritic(nets.MlpCritic(minibatch=batch_layer), (1, 8, 8)),
        "dcgan": DcganCritic(nets.DcganCritic(width=4, norm="none", minibatch=batch_layer), 8, 1, 0, False),
        "residual": ResidualCritic(nets.ResidualCritic(width=4, minibatch=batch_layer), 8, 1, 0, False),
        "progressive": ProgressiveCritic(nets.ProgressiveCritic(width=4, minibatch=batch_layer), 8, 1),
    }
    critic = critics[kind].eval()
    for name, weight in critic.named_parameters():
        if name == "batch_score.score":
            weight.data.fill_(1)
    equal, various = torch.zeros(4, 1, 8, 8), torch.randn(4, 1, 8, 8)
    various[0] = equal[0]
    with torch.no_grad():
        same_score = torch.allclose(critic(equal).score[0], critic(various).score[0], atol=1e-5)
    assert same_score == (batch_layer == "none")
