"""Families: named recipes. A family is a function from the data's shape to a whole recipe, never a class."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Literal

from pydantic import BaseModel

from models.spec.data import DataSpec, Images, Paired, Sequences, Unpaired
from models.spec.datasets import DataKind
from models.spec.games import Synthesis
from models.spec.presets import classic, collapse, noise, reconstruction, translation
from models.spec.presets.common import Fields
from models.spec.recipe import Recipe


@dataclass(frozen=True)
class Dial:
    """One setting a person would turn, by its JSON pointer in the recipe. Its bounds are those of the field."""

    path: str
    title: str
    type: Literal["integer", "number"]
    minimum: float
    maximum: float
    default: float
    exclusive_minimum: bool = False
    """whether the value must be above the minimum"""


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
    kinds: tuple[DataKind, ...]
    """of data it is for, the preferred one first: some datasets can be had as several"""
    preset: Callable[[DataSpec], Fields]
    dials: tuple[Dial, ...]


def _dial(path: str, title: str, fields: Fields) -> Dial:
    """The field that a path leads to in a family's fields, with its bounds."""
    part, name = path.removeprefix("/").rpartition("/")[::2]
    holder: type[BaseModel] = type(fields[part]) if part else Recipe
    default = getattr(fields[part], name) if part else fields[name]
    schema = _properties(holder)[name]
    low, high = _bounds(schema)
    above = "exclusiveMinimum" in schema
    return Dial(path, title, "integer" if isinstance(default, int) else "number", low, high, default, above)


@lru_cache
def _properties(holder: type[BaseModel]) -> dict[str, Any]:
    found: dict[str, Any] = holder.model_json_schema()["properties"]
    return found


def _bounds(schema: Mapping[str, Any]) -> tuple[float, float]:
    if choices := schema.get("enum"):
        return min(choices), max(choices)
    return schema.get("minimum", schema.get("exclusiveMinimum")), schema["maximum"]


def _dials(preset: Callable[[DataSpec], Fields], data: DataSpec) -> tuple[Dial, ...]:
    fields = preset(data)
    named = {
        "/budget/steps": "Steps",
        "/batch_size": "Batch size",
        "/generator_optimizer/rate": "Learning rate of the generator",
    }
    if fields["critic"] is not None:
        named |= {
            "/critic_optimizer/rate": "Learning rate of the critic",
            "/turns/critic_steps": "Critic moves per generator move",
        }
    if hasattr(fields["generator"], "width"):
        named["/generator/width"] = "Width of the generator"
    if getattr(fields["game"], "task", "") == "downscaling":
        named["/game/factor"] = "How many times larger: 2 or 4"
    return tuple(_dial(path, title, fields) for path, title in named.items())


def _crop_dials(data: DataSpec) -> tuple[Dial, ...]:
    """Of a family that learns from two piles."""
    if not isinstance(data, Unpaired | Paired):
        return ()
    return (
        Dial("/data/side", "Pixels of a side that the networks see; published: 256", "integer", 8, 512, data.side),
        Dial("/data/load", "Pixels of a side that crops are cut from; published: 286", "integer", 8, 512,
             data.prepared_side),
    )  # fmt: skip


_DIGITS = Images(dataset="digits", side=16, channels=1, classes=10)
_BRACKETS = Sequences(dataset="dyck", length=12, symbols=4)
_SCENES = Unpaired(dataset="day2night", side=64, channels=3)
_PAIRS = Paired(dataset="day2night", side=64, channels=3)


def family(
    name: str,
    title: str,
    use: str,
    paper: str,
    preset: Callable[[DataSpec], Fields],
    data: DataSpec = _DIGITS,
    kinds: tuple[DataKind, ...] = ("images", "points"),
) -> Family:
    """A family by what it says of itself, with the dials that its fields have. `data` are its default dataset's."""
    game = preset(data)["game"]
    conditional = isinstance(game, Synthesis) and game.conditional
    dials = (*_dials(preset, data), *_crop_dials(data))
    return Family(name, title, use, paper, game.kind, conditional, data.dataset, kinds, preset, dials)


_ALL = (
    family("gan", "GAN: the MLP of the lectures",
           "Two small MLPs and nothing else. Begin here to see the game itself, and how it fails.",
           "Goodfellow et al. 2014, arXiv:1406.2661", classic.gan),
    family("dcgan", "DCGAN",
           "Convolutions and BatchNorm on both sides. The plain choice for unlabelled pictures.",
           "Radford et al. 2015, arXiv:1511.06434", classic.dcgan),
    family("cgan", "Conditional GAN: the MLP told a class",
           "The first GAN that draws what is asked for: the class stands beside noise and picture. To see the idea at "
           "its simplest; cdcgan draws better.",
           "Mirza and Osindero 2014, arXiv:1411.1784; settings ours", noise.cgan, kinds=("images",)),
    family("cdcgan", "Class-conditional DCGAN",
           "Draws the class that is asked for, with projection, auxiliary classes and R1. Best for labelled pictures.",
           "Miyato and Koyama 2018, arXiv:1802.05637; Mescheder et al. 2018, arXiv:1801.04406; settings ours",
           classic.cdcgan),
    family("acgan", "AC-GAN: a critic that names the class",
           "The critic is not told the class and has to name it. To compare with cdcgan, which does both.",
           "Odena et al. 2016, arXiv:1610.09585; settings ours", noise.acgan, kinds=("images",)),
    family("wgan", "WGAN with weight clipping",
           "The critic estimates a distance, and clipping bounds its slope. To compare with wgan_gp, which is better.",
           "Arjovsky et al. 2017, arXiv:1701.07875", classic.wgan),
    family("wgan_gp", "WGAN with gradient penalty",
           "As wgan, with the slope held where it matters. Steady on small data, and slower by its five critic moves.",
           "Gulrajani et al. 2017, arXiv:1704.00028", classic.wgan_gp),
    family("lsgan", "LSGAN: least squares",
           "Squared errors instead of logarithms, so that slopes do not vanish. As quick as dcgan.",
           "Mao et al. 2017, arXiv:1611.04076", classic.lsgan),
    family("began", "BEGAN: a critic that rebuilds",
           "The critic is an autoencoder, and a balance keeps the players level. Smooth pictures, less variety, and a "
           "measure of convergence that can be read.",
           "Berthelot et al. 2017, arXiv:1703.10717; settings ours", noise.began, kinds=("images",)),
    family("sngan", "SNGAN: spectral norm",
           "Residual networks whose critic cannot be steep anywhere, by its weights alone. Steady, without a penalty.",
           "Miyato et al. 2018, arXiv:1802.05957; settings ours", noise.sngan, kinds=("images",)),
    family("sagan", "SAGAN: self-attention",
           "SNGAN that is told the class, with a layer that relates distant places, and a faster critic. For pictures "
           "whose parts must agree.",
           "Zhang et al. 2018, arXiv:1805.08318; settings ours", noise.sagan, kinds=("images",)),
    family("biggan", "BigGAN, small",
           "SAGAN whose every block is fed its own share of the noise. Truncation trades variety for quality when "
           "sampling.",
           "Brock et al. 2019, arXiv:1809.11096; settings ours", noise.biggan, kinds=("images",)),
    family("progan", "ProGAN: grows while it trains",
           "Begins with tiny pictures and doubles their side, so that the whole is learned before the detail. Pays "
           "from 32 px on.",
           "Karras et al. 2018, arXiv:1710.10196; settings ours", noise.progan, kinds=("images",)),
    family("stackgan", "StackGAN: two stages",
           "One network sketches the class at half the side, a second one redraws the sketch. To see coarse to fine "
           "with classes.",
           "Zhang et al. 2017, arXiv:1612.03242; settings ours", noise.stackgan, kinds=("images",)),
    family("d2gan", "D2GAN: two critics",
           "One critic rewards real pictures, the other fakes: missing a mode costs, and so does inventing one. To "
           "see what a second critic changes.",
           "Nguyen et al. 2017, arXiv:1709.03831; settings ours", noise.d2gan),
    family("r3gan", "R3GAN: the modern baseline",
           "Each real example against the fake beside it, slopes held on both sides, no further tricks. Steady "
           "without classes.",
           "Huang et al. 2024, arXiv:2501.05441; settings ours", noise.r3gan),
    family("unrolled", "Unrolled GAN: a generator that looks ahead",
           "The generator learns through moves that the critic has yet to make. Slow; for points and small pictures, "
           "to see what looking ahead changes.",
           "Metz et al. 2017, arXiv:1611.02163; settings ours", collapse.unrolled),
    family("pacgan", "PacGAN: examples judged in pairs",
           "DCGAN whose critic judges two examples at once, so that sameness shows. Costs next to nothing; to try "
           "when variety is lost.",
           "Lin et al. 2018, arXiv:1712.04086", collapse.pacgan),
    family("minibatch", "Minibatch discrimination",
           "DCGAN whose critic is told how near each example is to the rest of its batch. To compare with pacgan.",
           "Salimans et al. 2016, arXiv:1606.03498; networks of dcgan", collapse.minibatch),
    family("mdgan", "Mode-regularised GAN",
           "An encoder beside the generator: real examples, drawn again, must be near and look real. To try when "
           "whole kinds of pictures are missing.",
           "Che et al. 2017, arXiv:1612.02136; settings ours", collapse.mdgan),
    family("cyclegan", "CycleGAN: one style into another, without pairs",
           "Two translators that undo each other. For two piles of pictures of which no two belong together.",
           "Zhu et al. 2017, arXiv:1703.10593; below 128 px settings ours", translation.cyclegan, _SCENES,
           ("unpaired", "paired")),
    family("pix2pix", "pix2pix: one picture into another, from pairs",
           "A U-Net learns the right answer to each picture. For pairs of pictures; of single ones it learns to paint "
           "their edges.",
           "Isola et al. 2016, arXiv:1611.07004; below 128 px settings ours", translation.pix2pix, _PAIRS,
           ("paired", "images")),
    family("srgan", "SRGAN: small pictures made larger",
           "Enlarges two or four times, with the fine detail that averaging leaves out.",
           "Ledig et al. 2017, arXiv:1609.04802; below 96 px settings ours", translation.srgan, kinds=("images",)),
    family("inpaint", "Context encoder: what is missing is painted",
           "Fills holes in pictures: boxes anywhere, the middle or the left half.",
           "Pathak et al. 2016, arXiv:1604.07379; below 128 px settings ours", translation.inpaint,
           kinds=("images",)),
    family("vae", "Variational autoencoder",
           "No critic: a code held near the standard normal, so that new pictures can be drawn from it. Blurred and "
           "quick, and it never collapses.",
           "Kingma and Welling 2014, arXiv:1312.6114", reconstruction.vae),
    family("beta_vae", "Beta-VAE",
           "A VAE whose code is held four times as hard: fewer numbers say more, and pictures are softer. To look at "
           "what single numbers of the code mean.",
           "Higgins et al. 2017, OpenReview Sy2fzU9gl; settings ours", reconstruction.beta_vae),
    family("autoencoder", "Autoencoder",
           "Convolutions down to a short code and back. To compress and rebuild pictures; it cannot draw new ones.",
           "Hinton and Salakhutdinov 2006, Science 313; settings ours", reconstruction.autoencoder),
    family("linear_autoencoder", "Linear autoencoder: PCA",
           "One linear layer each way: it learns the subspace that principal component analysis computes. To see that "
           "it does.",
           "Baldi and Hornik 1989, Neural Networks 2; settings ours", reconstruction.linear_autoencoder),
    family("gumbel_gan", "Gumbel-softmax GAN: strings",
           "Draws strings of symbols: whole ones forward, slopes through soft ones. For data that are sequences; to "
           "see how a GAN learns what is discrete.",
           "Kusner and Hernandez-Lobato 2016, arXiv:1611.04051; Jang et al. 2017, arXiv:1611.01144; settings ours",
           noise.gumbel_gan, _BRACKETS, ("sequences",)),
)  # fmt: skip

BUILT_IN: Mapping[str, Family] = MappingProxyType({one.name: one for one in _ALL})
"""those of the checkout"""
_FAMILIES = dict(BUILT_IN)
FAMILIES: Mapping[str, Family] = MappingProxyType(_FAMILIES)
"""and those that plugins bring"""


def set_plugin_families(brought: Iterable[Family]) -> None:
    """Know these beside our own, and no others."""
    _FAMILIES.clear()
    _FAMILIES.update(BUILT_IN)
    _FAMILIES.update({one.name: one for one in brought})
