"""CycleGAN's generator and critic (Zhu et al. 2017). Their losses are in models/games/unpaired.py.

Layers have the same indices as in the authors' code, so that its weights can be loaded.
"""

from torch import Tensor, nn

from models.duel import Verdict
from models.nets.layers.common import initialise
from models.spec.nets import PatchCritic as PatchCriticSpec
from models.spec.nets import ResnetGenerator as ResnetGeneratorSpec


class ResnetGenerator(nn.Module):
    """Pictures [n, input_channels, h, w] in [-1, 1], sides divisible by 4 -> [n, channels, h, w] in [-1, 1]."""

    def __init__(self, spec: ResnetGeneratorSpec, input_channels: int, channels: int) -> None:
        super().__init__()
        w = spec.width
        layers: list[nn.Module] = [nn.ReflectionPad2d(3), nn.Conv2d(input_channels, w, 7), *_norm_relu(spec.norm, w)]
        for wide in (2 * w, 4 * w):
            layers += [nn.Conv2d(wide // 2, wide, 3, 2, 1), *_norm_relu(spec.norm, wide)]
        layers += [ResnetBlock(4 * w, spec.norm) for _ in range(spec.blocks)]
        for narrow in (2 * w, w):
            layers += [_upsample(spec.upsample, 2 * narrow, narrow), *_norm_relu(spec.norm, narrow)]
        self.model = nn.Sequential(*layers, nn.ReflectionPad2d(3), nn.Conv2d(w, channels, 7), nn.Tanh())
        last = 10 + spec.blocks
        # Index of the layer whose output is followed by an addition: index of the layer that is added.
        self.skip_sources = {last + 2: 6, last + 5: 3} if spec.skips else {}
        if spec.norm == "instance":
            initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        skipped: dict[int, Tensor] = {}
        for index, layer in enumerate(self.model):
            x = layer(x)
            if index in self.skip_sources.values():
                skipped[index] = x
            elif index in self.skip_sources:
                x = x + skipped[self.skip_sources[index]]
        return x


class ResnetBlock(nn.Module):
    """Residual block of two 3x3 convolutions."""

    def __init__(self, width: int, norm: str) -> None:
        super().__init__()
        self.conv_block = nn.Sequential(
            nn.ReflectionPad2d(1), nn.Conv2d(width, width, 3), *_norm_relu(norm, width),
            nn.ReflectionPad2d(1), nn.Conv2d(width, width, 3), _norm(norm, width),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.conv_block(x)
        return out


class PatchCritic(nn.Module):
    """PatchGAN: pictures [n, channels, h, w] -> a map of scores, one per patch (Isola et al. 2016)."""

    def __init__(self, spec: PatchCriticSpec, channels: int) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(channels, spec.width, 4, 2, 1), nn.LeakyReLU(0.2)]
        width = spec.width
        for depth in range(1, spec.layers + 1):
            after, stride = spec.width * min(2**depth, 8), 2 if depth < spec.layers else 1
            layers += [nn.Conv2d(width, after, 4, stride, 1), _norm(spec.norm, after), nn.LeakyReLU(0.2)]
            width = after
        self.model = nn.Sequential(*layers, nn.Conv2d(width, 1, 4, 1, 1))
        if spec.norm == "instance":
            initialise(self)

    def forward(self, x: Tensor, label: Tensor | None = None) -> Verdict:
        *hidden, last = self.model
        for layer in hidden:
            x = layer(x)
        return Verdict(last(x), features=x.flatten(1))


def _norm(kind: str, width: int) -> nn.Module:
    return nn.InstanceNorm2d(width) if kind == "instance" else nn.Identity()


def _norm_relu(norm: str, width: int) -> list[nn.Module]:
    return [_norm(norm, width), nn.ReLU()]


def _upsample(kind: str, before: int, after: int) -> nn.Module:
    if kind == "nearest":
        return nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv2d(before, after, 3, padding=1))
    return nn.ConvTranspose2d(before, after, 3, 2, 1, output_padding=1)
