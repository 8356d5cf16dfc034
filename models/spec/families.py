"""Families: named recipes. A family is a function from the data's shape to a whole recipe, never a class."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from models.spec.data import DataSpec, Images, Paired, Unpaired
from models.spec.datasets import Kind
from models.spec.games import Synthesis
from models.spec.presets import classic, translation
from models.spec.presets.common import Fields


@dataclass(frozen=True)
class Dial:
    """One setting a person would turn, by its JSON pointer in the recipe."""

    path: str
    title: str
    type: Literal["integer", "number"]
    minimum: float
    maximum: float
    default: float


@dataclass(frozen=True)
class Family:
    """A named recipe. `preset` answers the fields for data of a given shape."""

    name: str
    title: str
    use: str
    """what it is and when to choose it"""
    paper: str
    game: Literal["synthesis", "unpaired", "paired", "reconstruction"]
    conditional: bool
    default_dataset: str
    kinds: tuple[Kind, ...]
    """of data it is for, the preferred one first: some datasets can be had as several"""
    preset: Callable[[DataSpec], Fields]
    dials: tuple[Dial, ...]


def _dials(preset: Callable[[DataSpec], Fields], data: DataSpec) -> tuple[Dial, ...]:
    fields = preset(data)
    dials = [
        Dial("/budget/steps", "Steps", "integer", 1, 1_000_000, fields["budget"].steps),
        Dial("/batch_size", "Batch size", "integer", 1, 1024, fields["batch_size"]),
        Dial("/generator_optimizer/rate", "Learning rate of the generator", "number", 1e-6, 0.1,
             fields["generator_optimizer"].rate),
    ]  # fmt: skip
    if fields["critic"] is not None:
        dials += [
            Dial("/critic_optimizer/rate", "Learning rate of the critic", "number", 1e-6, 0.1,
                 fields["critic_optimizer"].rate),
            Dial("/turns/critic_steps", "Critic moves per generator move", "integer", 1, 10,
                 fields["turns"].critic_steps),
        ]  # fmt: skip
    if hasattr(fields["generator"], "width"):
        dials.append(Dial("/generator/width", "Width of the generator", "integer", 8, 256, fields["generator"].width))
    if getattr(fields["game"], "task", "") == "downscaling":
        dials.append(Dial("/game/factor", "How many times larger: 2 or 4", "integer", 2, 4, fields["game"].factor))
    return tuple(dials)


_DIGITS = Images(dataset="digits", side=16, channels=1, classes=10)
_SCENES = Unpaired(dataset="day2night", side=64, channels=3)
_PAIRS = Paired(dataset="day2night", side=64, channels=3)


def _family(
    name: str,
    title: str,
    use: str,
    paper: str,
    preset: Callable[[DataSpec], Fields],
    data: DataSpec = _DIGITS,
    kinds: tuple[Kind, ...] = ("images", "points"),
) -> Family:
    game = preset(data)["game"]
    conditional = isinstance(game, Synthesis) and game.conditional
    return Family(name, title, use, paper, game.kind, conditional, data.dataset, kinds, preset, _dials(preset, data))


_ALL = (
    _family("gan", "GAN: the MLP of the lectures",
            "Two small MLPs and nothing else. Begin here to see the game itself, and how it fails.",
            "Goodfellow et al. 2014, arXiv:1406.2661", classic.gan),
    _family("dcgan", "DCGAN",
            "Convolutions and BatchNorm on both sides. The plain choice for unlabelled pictures.",
            "Radford et al. 2015, arXiv:1511.06434", classic.dcgan),
    _family("cdcgan", "Class-conditional DCGAN",
            "Draws the class that is asked for, with projection, auxiliary classes and R1. Best for labelled pictures.",
            "Miyato and Koyama 2018, arXiv:1802.05637; Mescheder et al. 2018, arXiv:1801.04406; settings ours",
            classic.cdcgan),
    _family("wgan", "WGAN with weight clipping",
            "The critic estimates a distance, and clipping bounds its slope. To compare with wgan_gp, which is better.",
            "Arjovsky et al. 2017, arXiv:1701.07875", classic.wgan),
    _family("wgan_gp", "WGAN with gradient penalty",
            "As wgan, with the slope held where it matters. Steady on small data, and slower by its five critic moves.",
            "Gulrajani et al. 2017, arXiv:1704.00028", classic.wgan_gp),
    _family("lsgan", "LSGAN: least squares",
            "Squared errors instead of logarithms, so that slopes do not vanish. As quick as dcgan.",
            "Mao et al. 2017, arXiv:1611.04076", classic.lsgan),
    _family("cyclegan", "CycleGAN: one style into another, without pairs",
            "Two translators that undo each other. For two piles of pictures of which no two belong together.",
            "Zhu et al. 2017, arXiv:1703.10593; below 128 px settings ours", translation.cyclegan, _SCENES,
            ("unpaired", "paired")),
    _family("pix2pix", "pix2pix: one picture into another, from pairs",
            "A U-Net learns the right answer to each picture. For pairs of pictures; of single ones it learns to paint "
            "their edges.",
            "Isola et al. 2016, arXiv:1611.07004; below 128 px settings ours", translation.pix2pix, _PAIRS,
            ("paired", "images")),
    _family("srgan", "SRGAN: small pictures made larger",
            "Enlarges two or four times, with the fine detail that averaging leaves out.",
            "Ledig et al. 2017, arXiv:1609.04802; below 96 px settings ours", translation.srgan, kinds=("images",)),
    _family("inpaint", "Context encoder: what is missing is painted",
            "Fills holes in pictures: boxes anywhere, the middle or the left half.",
            "Pathak et al. 2016, arXiv:1604.07379; below 128 px settings ours", translation.inpaint,
            kinds=("images",)),
)  # fmt: skip

FAMILIES: Mapping[str, Family] = MappingProxyType({family.name: family for family in _ALL})
