"""StackGAN's generator and critic: stage one generates at half the side, stage two refines (Zhang et al. 2017)."""

from itertools import pairwise

import torch
from torch import Tensor, nn

from models.duel import Losses, Verdict
from models.nets.layers.common import Scheduled, downsample, look_up, upsample
from models.nets.residual import ResidualCritic
from models.spec.nets import ResidualCritic as ResidualCriticSpec
from models.spec.nets import StackedCritic as StackedCriticSpec
from models.spec.nets import StackedGenerator as StackedGeneratorSpec
from models.spec.nets import halvings, widths


class StackedGenerator(Scheduled):
    """z [n, latent], label [n] -> pictures [n, channels, side, side] in [-1, 1]; stage one's are upsampled.

    The last `condition` numbers of z are the noise of the conditioning augmentation, the others the latent itself, so
    that a picture follows from z and the label. After the share `first` of the budget, stage one is frozen and stage
    two trained.
    """

    def __init__(self, spec: StackedGeneratorSpec, latent: int, side: int, channels: int, classes: int) -> None:
        super().__init__()
        self.side, self.switch, self.divergence = side, spec.first, spec.divergence
        self.noise = [latent - spec.condition, spec.condition]
        self.conditions = nn.ModuleList(ConditioningAugmentation(classes, spec.condition) for _ in range(2))
        self.sketch = Sketch(spec.width, latent, -(-side // 2), channels)
        self.redraw = Redraw(spec.width, spec.condition, side, channels)

    def forward(self, z: Tensor, label: Tensor) -> Tensor:
        z, noise = torch.split(z, self.noise, dim=1)
        second = self.progress >= self.switch
        # Without gradients the optimiser skips the weights of stage one. Its BatchNorm still sees the batch.
        with torch.set_grad_enabled(torch.is_grad_enabled() and not second):
            sketch: Tensor = self.sketch(torch.cat([z, self.conditions[0](label, noise)], 1))
        if not second:
            return upsample(sketch, self.side)
        redrawn: Tensor = self.redraw(sketch, self.conditions[1](label, noise))
        return redrawn

    def extra_losses(self, label: Tensor) -> Losses:
        """Return the KL divergence of the training stage's condition from the standard Gaussian."""
        if not self.divergence:
            return {}
        condition = self.conditions[self.progress >= self.switch]
        assert isinstance(condition, ConditioningAugmentation)
        return {"divergence": self.divergence * condition.divergence(label)}


class StackedCritic(Scheduled):
    """Pictures [n, channels, side, side] -> one score each: first by a critic at half the side, later at full side."""

    def __init__(self, spec: StackedCriticSpec, side: int, channels: int, classes: int, names_classes: bool) -> None:
        super().__init__()
        self.switch = spec.first
        critic = ResidualCriticSpec(width=spec.width, norm="none", conditioning=spec.conditioning)
        self.of_sketch = ResidualCritic(critic, -(-side // 2), channels, classes, names_classes)
        self.of_whole = ResidualCritic(critic, side, channels, classes, names_classes)

    def forward(self, x: Tensor, label: Tensor | None = None) -> Verdict:
        second = self.progress >= self.switch
        verdict: Verdict = self.of_whole(x, label) if second else self.of_sketch(downsample(x), label)
        return verdict


class ConditioningAugmentation(nn.Module):
    """Labels [n] and standard normal noise [n, size] -> conditions [n, size] from a learned Gaussian per class."""

    def __init__(self, classes: int, size: int) -> None:
        super().__init__()
        self.mean = nn.Embedding(classes, size)
        self.log_variance = nn.Embedding(classes, size)
        nn.init.zeros_(self.log_variance.weight)

    def forward(self, label: Tensor, noise: Tensor) -> Tensor:
        return look_up(self.mean, label) + (look_up(self.log_variance, label) / 2).exp() * noise

    def divergence(self, label: Tensor) -> Tensor:
        """Return the KL divergence from the standard Gaussian, averaged over labels and numbers (the authors' code)."""
        mean, log_variance = self.mean(label), self.log_variance(label)
        divergence: Tensor = (mean.square() + log_variance.exp() - 1 - log_variance).mean() / 2
        return divergence


class Sketch(nn.Module):
    """Stage one: latent and condition [n, size] -> pictures [n, channels, side, side], doubling the smallest map."""

    def __init__(self, width: int, size: int, side: int, channels: int) -> None:
        super().__init__()
        self.sides = halvings(side)
        wide = widths(width, self.sides) if len(self.sides) > 1 else [2 * width]
        self.first = nn.Linear(size, wide[0] * self.sides[0] ** 2)
        self.first_norm = nn.BatchNorm2d(wide[0])
        self.rise = nn.ModuleList(_convolve(before, after) for before, after in pairwise(wide))
        self.paint = nn.Sequential(_convolve(wide[-1], wide[-1]), nn.Conv2d(wide[-1], channels, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x).unflatten(1, (-1, self.sides[0], self.sides[0]))
        x = self.first_norm(x).relu()
        for convolve, side in zip(self.rise, self.sides[1:], strict=True):
            x = convolve(upsample(x, side))
        painted: Tensor = self.paint(x)
        return painted.tanh()


class Redraw(nn.Module):
    """Stage two: pictures at half the side and conditions [n, size] -> pictures at the full side.

    The condition is appended to the sketch's features at every pixel; residual blocks and one upsampling follow.
    """

    def __init__(self, width: int, size: int, side: int, channels: int) -> None:
        super().__init__()
        self.side = side
        self.read = nn.Sequential(nn.Conv2d(channels, 2 * width, 3, padding=1), nn.ReLU())
        self.join = _convolve(2 * width + size, 2 * width)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                _convolve(2 * width, 2 * width),
                nn.Conv2d(2 * width, 2 * width, 3, padding=1, bias=False),
                nn.BatchNorm2d(2 * width),
            )
            for _ in range(2)
        )
        self.rise = _convolve(2 * width, width)
        self.paint = nn.Conv2d(width, channels, 3, padding=1)

    def forward(self, sketch: Tensor, condition: Tensor) -> Tensor:
        condition_maps = condition[:, :, None, None].expand(-1, -1, *sketch.shape[2:])
        x = self.join(torch.cat([self.read(sketch), condition_maps], 1))
        for block in self.blocks:
            x = (x + block(x)).relu()
        painted: Tensor = self.paint(self.rise(upsample(x, self.side)))
        return painted.tanh()


def _convolve(before: int, after: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(before, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU())
