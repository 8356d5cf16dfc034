"""Families: named recipes. A family maps the shape of the data to the fields of a recipe."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Literal

from pydantic import BaseModel

from models.spec.data import DataSpec, Images, Paired, Sequences, Unpaired
from models.spec.datasets import DataKind
from models.spec.games import Synthesis
from models.spec.presets import classic, collapse, dcgan, noise, reconstruction, translation
from models.spec.presets.common import Fields
from models.spec.recipe import Recipe


@dataclass(frozen=True)
class Dial:
    """A recipe field of a family that people usually change: its JSON pointer, and the field's bounds."""

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
    """A named recipe; `preset` returns its fields for data of a given shape."""

    name: str
    title: str
    use: str
    """description, and when to choose it"""
    paper: str
    game: Literal["synthesis", "unpaired", "paired", "reconstruction"]
    conditional: bool
    default_dataset: str
    kinds: tuple[DataKind, ...]
    """kinds of data that it learns from; of a dataset that provides several kinds the first of these is used"""
    preset: Callable[[DataSpec], Fields]
    dials: tuple[Dial, ...]


def _dial(path: str, title: str, fields: Fields) -> Dial:
    """Return the dial of the field at a JSON pointer, with the field's bounds and default."""
    part, name = path.removeprefix("/").rpartition("/")[::2]
    holder: type[BaseModel] = type(fields[part]) if part else Recipe
    default = getattr(fields[part], name) if part else fields[name]
    schema = _properties(holder)[name]
    low, high = _bounds(schema)
    above = "exclusiveMinimum" in schema
    return Dial(path, title, "integer" if isinstance(default, int) else "number", low, high, default, above)


@lru_cache
def _properties(holder: type[BaseModel]) -> dict[str, Any]:
    properties: dict[str, Any] = holder.model_json_schema()["properties"]
    return properties


def _bounds(schema: Mapping[str, Any]) -> tuple[float, float]:
    if choices := schema.get("enum"):
        return min(choices), max(choices)
    return schema.get("minimum", schema.get("exclusiveMinimum")), schema["maximum"]


def _dials(preset: Callable[[DataSpec], Fields], data: DataSpec) -> tuple[Dial, ...]:
    fields = preset(data)
    titles = {
        "/budget/steps": "Steps",
        "/batch_size": "Batch size",
        "/generator_optimizer/rate": "Learning rate of the generator",
    }
    if fields["critic"] is not None:
        titles |= {
            "/critic_optimizer/rate": "Learning rate of the critic",
            "/turns/critic_steps": "Critic updates per step",
        }
    if hasattr(fields["generator"], "width"):
        titles["/generator/width"] = "Width of the generator"
    if getattr(fields["game"], "task", "") == "downscaling":
        titles["/game/factor"] = "How many times larger: 2 or 4"
    return tuple(_dial(path, title, fields) for path, title in titles.items())


def _crop_dials(data: DataSpec) -> tuple[Dial, ...]:
    """Return the dials of crops; none unless the data have two domains."""
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
    """Create a family. `data` is the recipe's data section for the family's default dataset.

    The dials are derived from the fields that `preset` returns for it.
    """
    game = preset(data)["game"]
    conditional = isinstance(game, Synthesis) and game.conditional
    dials = (*_dials(preset, data), *_crop_dials(data))
    return Family(name, title, use, paper, game.kind, conditional, data.dataset, kinds, preset, dials)


_ALL = (
    family("gan", "GAN: the MLP of the lectures",
           "Two small MLPs and nothing else. Start here to see the game itself, and how it fails.",
           "Goodfellow et al. 2014, arXiv:1406.2661", classic.gan),
    family("dcgan", "DCGAN",
           "Convolutions and BatchNorm in both networks. The plain choice for unlabelled pictures.",
           "Radford et al. 2015, arXiv:1511.06434", dcgan.dcgan),
    family("cgan", "Conditional GAN: the MLP with a class",
           "The first GAN with classes: the class is appended to noise and picture. To see the idea at its simplest; "
           "cdcgan generates better pictures.",
           "Mirza and Osindero 2014, arXiv:1411.1784; settings ours", noise.cgan, kinds=("images",)),
    family("cdcgan", "Class-conditional DCGAN",
           "Generates the requested class, with projection, auxiliary classes and R1. Best for labelled pictures.",
           "Miyato and Koyama 2018, arXiv:1802.05637; Mescheder et al. 2018, arXiv:1801.04406; settings ours",
           dcgan.cdcgan),
    family("acgan", "AC-GAN: a critic that predicts the class",
           "The critic does not get the class but predicts it. To compare with cdcgan, whose critic does both.",
           "Odena et al. 2016, arXiv:1610.09585; settings ours", noise.acgan, kinds=("images",)),
    family("wgan", "WGAN with weight clipping",
           "The critic estimates a distance; clipping bounds its gradient. To compare with wgan_gp, which is better.",
           "Arjovsky et al. 2017, arXiv:1701.07875", classic.wgan),
    family("wgan_gp", "WGAN with gradient penalty",
           "As wgan, with a gradient penalty instead of clipping. Stable on small data; slow: five critic updates per "
           "step.",
           "Gulrajani et al. 2017, arXiv:1704.00028", classic.wgan_gp),
    family("lsgan", "LSGAN: least squares",
           "Squared errors instead of logarithms, so that gradients do not vanish. As fast as dcgan.",
           "Mao et al. 2017, arXiv:1611.04076", classic.lsgan),
    family("began", "BEGAN: a critic that is an autoencoder",
           "The critic is an autoencoder, and a control variable balances the players. Smooth pictures, less variety, "
           "and a measure of convergence.",
           "Berthelot et al. 2017, arXiv:1703.10717; settings ours", noise.began, kinds=("images",)),
    family("sngan", "SNGAN: spectral norm",
           "Residual networks; the spectral norm bounds the critic's gradient. Stable without a penalty.",
           "Miyato et al. 2018, arXiv:1802.05957; settings ours", noise.sngan, kinds=("images",)),
    family("sagan", "SAGAN: self-attention",
           "SNGAN with classes, self-attention between distant pixels, and a faster critic. For pictures whose parts "
           "must agree.",
           "Zhang et al. 2018, arXiv:1805.08318; settings ours", noise.sagan, kinds=("images",)),
    family("biggan", "BigGAN, small",
           "SAGAN whose blocks each get a part of the noise. Truncation trades variety for quality when sampling.",
           "Brock et al. 2019, arXiv:1809.11096; settings ours", noise.biggan, kinds=("images",)),
    family("progan", "ProGAN: grows during training",
           "Starts with tiny pictures and doubles their side, so that the whole is learned before the detail. Useful "
           "from 32 px on.",
           "Karras et al. 2018, arXiv:1710.10196; settings ours", noise.progan, kinds=("images",)),
    family("stackgan", "StackGAN: two stages",
           "One network generates the class at half the side, a second one refines it. To see coarse to fine with "
           "classes.",
           "Zhang et al. 2017, arXiv:1612.03242; settings ours", noise.stackgan, kinds=("images",)),
    family("d2gan", "D2GAN: two critics",
           "One critic rewards real pictures, the other fakes: missing a mode costs, and so does inventing one. To "
           "see what a second critic changes.",
           "Nguyen et al. 2017, arXiv:1709.03831; settings ours", noise.d2gan),
    family("r3gan", "R3GAN: the modern baseline",
           "Each real example against a fake, gradient penalties at both, no further tricks. Stable without classes.",
           "Huang et al. 2024, arXiv:2501.05441; settings ours", noise.r3gan),
    family("unrolled", "Unrolled GAN: a generator that looks ahead",
           "The generator learns through future updates of the critic. Slow; for points and small pictures, to see "
           "what looking ahead changes.",
           "Metz et al. 2017, arXiv:1611.02163; settings ours", collapse.unrolled),
    family("pacgan", "PacGAN: examples judged in pairs",
           "DCGAN whose critic judges two examples at once, which exposes a lack of variety. Costs almost nothing; to "
           "try when variety is lost.",
           "Lin et al. 2018, arXiv:1712.04086", collapse.pacgan),
    family("minibatch", "Minibatch discrimination",
           "DCGAN whose critic sees how similar each example is to the rest of its batch. To compare with pacgan.",
           "Salimans et al. 2016, arXiv:1606.03498; networks of dcgan", collapse.minibatch),
    family("mdgan", "Mode-regularised GAN",
           "A generator with an encoder: encoded and decoded real examples must stay similar and look real. To try "
           "when whole kinds of pictures are missing.",
           "Che et al. 2017, arXiv:1612.02136; settings ours", collapse.mdgan),
    family("cyclegan", "CycleGAN: one style into another, without pairs",
           "Two translators that undo each other. For pictures of two domains without pairs.",
           "Zhu et al. 2017, arXiv:1703.10593; below 128 px settings ours", translation.cyclegan, _SCENES,
           ("unpaired", "paired")),
    family("pix2pix", "pix2pix: one picture into another, from pairs",
           "A U-Net learns the target of each picture. For pairs of pictures; from single ones it learns to turn edges "
           "into pictures.",
           "Isola et al. 2016, arXiv:1611.07004; below 128 px settings ours", translation.pix2pix, _PAIRS,
           ("paired", "images")),
    family("srgan", "SRGAN: small pictures enlarged",
           "Enlarges two or four times, with the fine detail that averaging loses.",
           "Ledig et al. 2017, arXiv:1609.04802; below 96 px settings ours", translation.srgan, kinds=("images",)),
    family("inpaint", "Context encoder: fills missing parts",
           "Fills holes in pictures: boxes at random positions, the middle or the left half.",
           "Pathak et al. 2016, arXiv:1604.07379; below 128 px settings ours", translation.inpaint,
           kinds=("images",)),
    family("vae", "Variational autoencoder",
           "No critic: a code close to the standard normal, so that new pictures can be sampled from it. Blurred and "
           "fast, and it never collapses.",
           "Kingma and Welling 2014, arXiv:1312.6114", reconstruction.vae),
    family("beta_vae", "Beta-VAE",
           "A VAE with four times the divergence: fewer numbers of the code carry more, and pictures are softer. To "
           "see what single numbers of the code mean.",
           "Higgins et al. 2017, OpenReview Sy2fzU9gl; settings ours", reconstruction.beta_vae),
    family("autoencoder", "Autoencoder",
           "Convolutions down to a short code and back. To compress and restore pictures; it cannot generate new ones.",
           "Hinton and Salakhutdinov 2006, Science 313; settings ours", reconstruction.autoencoder),
    family("linear_autoencoder", "Linear autoencoder: PCA",
           "A linear encoder and decoder: they learn the subspace that principal component analysis computes.",
           "Baldi and Hornik 1989, Neural Networks 2; settings ours", reconstruction.linear_autoencoder),
    family("gumbel_gan", "Gumbel-softmax GAN: strings",
           "Generates strings of symbols: one-hot symbols forward, gradients through soft ones. For sequences; to see "
           "how a GAN learns discrete data.",
           "Kusner and Hernandez-Lobato 2016, arXiv:1611.04051; Jang et al. 2017, arXiv:1611.01144; settings ours",
           noise.gumbel_gan, _BRACKETS, ("sequences",)),
)  # fmt: skip

BUILT_IN: Mapping[str, Family] = MappingProxyType({one.name: one for one in _ALL})
"""Forger's own families by name"""
_FAMILIES = dict(BUILT_IN)
FAMILIES: Mapping[str, Family] = MappingProxyType(_FAMILIES)
"""all families by name, with those of plugins"""


def set_plugin_families(plugin_families: Iterable[Family]) -> None:
    """Replace the plugins' families by these."""
    _FAMILIES.clear()
    _FAMILIES.update(BUILT_IN)
    _FAMILIES.update({family.name: family for family in plugin_families})
