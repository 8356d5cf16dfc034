"""SRGAN's generator (Ledig et al. 2017): all residual blocks work on the small picture, and enlarging comes last."""

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
    """Two 3x3 convolutions beside a straight way."""

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
    """Sub-pixel convolution (Shi et al. 2016): four maps become one of twice the side."""
    return nn.Sequential(nn.Conv2d(width, 4 * width, 3, padding=1), nn.PixelShuffle(2), nn.PReLU())


def _norm(kind: str, width: int) -> nn.Module:
    return nn.BatchNorm2d(width) if kind == "batch" else nn.Identity()
