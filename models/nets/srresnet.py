"""SRGAN's generator, SRResNet (Ledig et al. 2017): residual blocks at the low resolution, then upsampling."""

from torch import Tensor, nn

from models.spec.nets import SrresnetGenerator as SrresnetGeneratorSpec


class SrresnetGenerator(nn.Module):
    """Pictures [n, channels, h, w] in [-1, 1] of any size -> [n, channels, factor x h, factor x w] in [-1, 1]."""

    def __init__(self, spec: SrresnetGeneratorSpec, factor: int, channels: int) -> None:
        super().__init__()
        w = spec.width
        self.head = nn.Sequential(nn.Conv2d(channels, w, 9, padding=4), nn.PReLU())
        self.blocks = nn.Sequential(*(ResidualBlock(w, spec.norm) for _ in range(spec.blocks)))
        self.gather = nn.Sequential(nn.Conv2d(w, w, 3, padding=1), _norm(spec.norm, w))
        doublings = factor.bit_length() - 1
        self.enlarge = nn.Sequential(*(_doubling(w) for _ in range(doublings)))
        self.paint = nn.Sequential(nn.Conv2d(w, channels, 9, padding=4), nn.Tanh())

    def forward(self, x: Tensor, label: Tensor | None = None) -> Tensor:
        x = self.head(x)
        x = x + self.gather(self.blocks(x))
        painted: Tensor = self.paint(self.enlarge(x))
        return painted


class ResidualBlock(nn.Module):
    """Residual block of two 3x3 convolutions."""

    def __init__(self, width: int, norm: str) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1), _norm(norm, width), nn.PReLU(),
            nn.Conv2d(width, width, 3, padding=1), _norm(norm, width),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.layers(x)
        return out


def _doubling(width: int) -> nn.Module:
    """Return a sub-pixel convolution that doubles the side: four maps become one (Shi et al. 2016)."""
    return nn.Sequential(nn.Conv2d(width, 4 * width, 3, padding=1), nn.PixelShuffle(2), nn.PReLU())


def _norm(kind: str, width: int) -> nn.Module:
    return nn.BatchNorm2d(width) if kind == "batch" else nn.Identity()
