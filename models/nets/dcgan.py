"""DCGAN's generator and critic for any square side from 8 px, with or without classes (Radford et al. 2015)."""

from torch import Tensor, nn

from models.duel import Verdict
from models.nets.layers.common import ConditionalBatchNorm2d, FromPixel, apply_norm, initialise
from models.nets.layers.critic_heads import HeadedCritic
from models.spec.nets import DcganCritic as DcganCriticSpec
from models.spec.nets import DcganGenerator as DcganGeneratorSpec
from models.spec.nets import halvings


class DcganGenerator(nn.Module):
    """z [n, latent], label [n] when classes > 0 -> pictures [n, channels, side, side] in [-1, 1].

    At 64 px with width 64: 512 x 4 x 4, 256 x 8 x 8, 128 x 16 x 16, 64 x 32 x 32, then the picture, as in the paper.
    """

    def __init__(self, spec: DcganGeneratorSpec, latent: int, side: int, channels: int, classes: int) -> None:
        super().__init__()
        sides = halvings(side)
        doublings = len(sides) - 1
        widths = [spec.width * 2 ** (doublings - i - (not spec.refine)) for i in range(doublings + spec.refine)]
        bias = spec.norm == "none"
        self.rise = nn.ModuleList([FromPixel(latent, widths[0], sides[0], bias=bias)])
        for before, after, target in zip(widths, widths[1:], sides[1:], strict=False):
            self.rise.append(_doubling(before, after, target, bias))
        self.norms = nn.ModuleList([_norm(spec.norm, width, classes) for width in widths])
        self.paint = (
            nn.Conv2d(widths[-1], channels, 3, padding=1)
            if spec.refine
            else _doubling(widths[-1], channels, side, bias)
        )
        if spec.norm == "batch" and not classes:
            initialise(self)

    def forward(self, z: Tensor, label: Tensor | None = None) -> Tensor:
        x = z[:, :, None, None]
        for rise, norm in zip(self.rise, self.norms, strict=True):
            x = rise(x)
            x = apply_norm(norm, x, label).relu()
        painted: Tensor = self.paint(x)
        return painted.tanh()

    def pairs(self) -> list[tuple[nn.ModuleList, nn.ModuleList]]:
        """Return the lists of convolutions and of the norms that follow them."""
        return [(self.rise, self.norms)]


class DcganCritic(HeadedCritic):
    """Pictures [n, channels, side, side] -> one score each.

    At 64 px with width 64: 64 x 32 x 32, 128 x 16 x 16, 256 x 8 x 8, 512 x 4 x 4, then the score.

    With classes and conditioning by projection, the inner product of features and the label's embedding is added to
    the score (Miyato and Koyama 2018). With `names_classes` the verdict also holds class logits [n, classes].
    """

    def __init__(self, spec: DcganCriticSpec, side: int, channels: int, classes: int, names_classes: bool) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        width = channels
        for depth in range(len(halvings(side)) - 1):
            after, norm = spec.width * 2**depth, spec.norm == "batch" and depth > 0
            layers.append(nn.Conv2d(width, after, 4, 2, 1, bias=spec.norm != "batch"))
            layers += [nn.BatchNorm2d(after)] if norm else []
            layers.append(nn.LeakyReLU(0.2))
            layers += [nn.Dropout(spec.dropout)] if spec.dropout else []
            width, side = after, side // 2
        self.layers = nn.Sequential(*layers)
        self.score = nn.Conv2d(width, 1, side, bias=spec.norm != "batch")
        features = width * side * side
        projected = classes if spec.conditioning == "projection" else 0
        self.add_heads(features, spec.minibatch, projected, classes if names_classes else 0)
        if spec.norm == "batch":
            initialise(self)
        self.finish(spec.norm)

    def forward(self, x: Tensor, label: Tensor | None = None) -> Verdict:
        maps = self.layers(x)
        features = maps.flatten(1)
        return self.verdict(self.score(maps).flatten(), features, label)


def _doubling(before: int, after: int, target: int, bias: bool) -> nn.ConvTranspose2d:
    """Return a layer from ceil(target / 2) to target pixels: 4x4 as in the paper, 3x3 if the target is odd."""
    return nn.ConvTranspose2d(before, after, 3 if target % 2 else 4, 2, 1, bias=bias)


def _norm(kind: str, width: int, classes: int) -> nn.Module:
    if kind == "none":
        return nn.Identity()
    return ConditionalBatchNorm2d(width, classes) if classes else nn.BatchNorm2d(width)
