"""The judge of stacked MNIST: a classifier of single digits, applied to each channel."""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from data.readers.builtin import Data
from worker.evaluation.judge import MAX_EXAMPLES, Judge, trained_judge


class StackedMnistJudge(nn.Module):
    """Pictures [n, 3, s, s] in [-1, 1] -> features [n, 3 x 128] and log probabilities [n, 1000].

    Class 100 a + 10 b + c has the digits a in red, b in green, c in blue.
    """

    classes = 1000

    def __init__(self, judge: Judge) -> None:
        super().__init__()
        self.judge = judge
        self.mark, self.resize = judge.mark, judge.resize

    def embed(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return features and log probabilities, both on the CPU."""
        features, logits = zip(*(self.judge.embed(channel) for channel in torch.split(x, 1, dim=1)), strict=True)
        a, b, c = (channel.log_softmax(dim=1) for channel in logits)
        return torch.cat(features, dim=1), (a[:, :, None, None] + b[:, None, :, None] + c[:, None, None, :]).flatten(1)


def trained_stacked_judge(
    data: Data, cache: Path | None, steps: int, heartbeat: Callable[[], None]
) -> StackedMnistJudge:
    """Return a judge of single digits, trained on the red channel and applied to all three channels."""
    assert data.images is not None
    assert data.labels is not None
    red = Data(images=data.images[:MAX_EXAMPLES, :1].clone(), labels=data.labels[:MAX_EXAMPLES] // 100)
    return StackedMnistJudge(trained_judge(red, cache, steps, heartbeat))
