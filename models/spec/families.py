"""Families: named recipes. A family is a function from the data's shape to a whole recipe, never a class."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

from models.spec.data import DataSpec, Images, Paired, Points, Unpaired
from models.spec.games import Synthesis
from models.spec.games import Unpaired as UnpairedGame
from models.spec.nets import (
    DcganCritic,
    DcganGenerator,
    MlpCritic,
    MlpGenerator,
    PatchCritic,
    ResnetGenerator,
)
from models.spec.objectives import LeastSquares, NonSaturating, Wasserstein
from models.spec.penalties import R1, Auxiliary, GradientPenalty
from models.spec.training import Adam, Budget, Constant, Ema, Latent, Linear, RmsProp, Turns

Fields = dict[str, Any]
"""The fields of a Recipe but for seed, data and what follows from the budget."""


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
    paper: str
    game: Literal["synthesis", "unpaired"]
    conditional: bool
    default_dataset: str
    preset: Callable[[DataSpec], Fields]
    dials: tuple[Dial, ...]


def _synthesis(**fields: Any) -> Fields:
    """What the families of the synthesis game share unless they say otherwise: DCGAN's settings."""
    return {
        "game": Synthesis(),
        "latent": Latent(size=100),
        "generator": DcganGenerator(),
        "critic": DcganCritic(),
        "objective": NonSaturating(),
        "penalties": (),
        "generator_optimizer": Adam(),
        "critic_optimizer": Adam(),
        "critic_clip": None,
        "schedule": Constant(),
        "turns": Turns(),
        "ema": Ema(),
        "batch_size": 64,
        "precision": "auto",
        "budget": Budget(steps=3000),
    } | fields


def _on_points(data: DataSpec, fields: Fields, **own: Any) -> Fields:
    """The same game between small MLPs when the data are points (settings ours: docs/recipes.md)."""
    if not isinstance(data, Points):
        return fields
    layers, adam = (128, 128, 128), Adam(rate=1e-3, beta1=0, beta2=0.99)
    small: Fields = {
        "latent": Latent(size=2, scale=4),
        "generator": MlpGenerator(hidden=layers, activation="relu"),
        "critic": MlpCritic(hidden=layers, activation="relu", input_scale=4),
        "generator_optimizer": adam,
        "critic_optimizer": adam,
        "schedule": Linear(flat=0.5),
        "batch_size": 256,
        "ema": Ema(decay=0.99),
    }
    return fields | small | own


def _gan(data: DataSpec) -> Fields:
    adam = Adam(rate=1e-3, beta1=0.9)
    mlp = _synthesis(
        latent=Latent(kind="uniform", size=100),
        generator=MlpGenerator(hidden=(128,), dropout=0.5),
        critic=MlpCritic(hidden=(128,), dropout=0.5),
        generator_optimizer=adam,
        critic_optimizer=adam,
        batch_size=128,
    )
    return _on_points(data, mlp)


def _dcgan(data: DataSpec) -> Fields:
    return _synthesis()


def _cdcgan(data: DataSpec) -> Fields:
    small = isinstance(data, Images) and data.side <= 16
    return _synthesis(
        game=Synthesis(conditional=True),
        latent=Latent(size=64),
        generator=DcganGenerator(width=32, refine=True),
        critic=DcganCritic(width=32, norm="none"),
        penalties=(R1(weight=1, every=8), Auxiliary(critic_weight=1, generator_weight=0.2)),
        generator_optimizer=Adam(rate=5e-4, beta1=0, beta2=0.99),
        critic_optimizer=Adam(rate=1e-3, beta1=0, beta2=0.99),
        schedule=Linear(flat=0.5),
        budget=Budget(steps=1200 if small else 6000),
    )


def _wgan(data: DataSpec) -> Fields:
    clipped = _synthesis(
        objective=Wasserstein(),
        generator_optimizer=RmsProp(),
        critic_optimizer=RmsProp(),
        critic_clip=0.01,
        turns=Turns(critic_steps=5),
    )
    rms = RmsProp(rate=1e-3)
    return _on_points(data, clipped, generator_optimizer=rms, critic_optimizer=rms, critic_clip=0.1)


def _wgan_gp(data: DataSpec) -> Fields:
    adam = Adam(rate=1e-4, beta1=0.5, beta2=0.9)
    penalised = _synthesis(
        latent=Latent(size=128),
        critic=DcganCritic(norm="none"),
        objective=Wasserstein(),
        penalties=(GradientPenalty(weight=10),),
        generator_optimizer=adam,
        critic_optimizer=adam,
        turns=Turns(critic_steps=5),
        batch_size=50,
    )
    return _on_points(data, penalised, penalties=(GradientPenalty(weight=0.1),), turns=Turns(critic_steps=3))


def _lsgan(data: DataSpec) -> Fields:
    adam = Adam(rate=1e-3, beta1=0.5, beta2=0.99)
    squares = _synthesis(objective=LeastSquares(), generator_optimizer=adam, critic_optimizer=adam, batch_size=128)
    return _on_points(data, squares)


def _cyclegan(data: DataSpec) -> Fields:
    side = data.side if isinstance(data, Unpaired | Paired) else 256
    published = _synthesis(
        game=UnpairedGame(),
        latent=Latent(size=1),
        generator=ResnetGenerator(blocks=9 if side >= 256 else 6),
        critic=PatchCritic(),
        objective=LeastSquares(scale=1),
        turns=Turns(order="generator_first"),
        schedule=Linear(flat=0.5),
        batch_size=1,
        budget=Budget(steps=100_000),
    )
    return published if side >= 128 else published | _small_cyclegan()


def _small_cyclegan() -> Fields:
    """Ours, for pictures below the published 128 px and an hour of two cores at most: docs/recipes.md."""
    adam = Adam(rate=4e-4, beta1=0, beta2=0.99)
    return {
        "game": UnpairedGame(identity=0),
        "generator": ResnetGenerator(width=16, blocks=3, upsample="nearest", skips=True),
        "critic": PatchCritic(width=16, layers=2, norm="none"),
        "objective": NonSaturating(),
        "penalties": (R1(weight=10, every=8),),
        "generator_optimizer": adam,
        "critic_optimizer": adam,
        "ema": Ema(decay=0.998),
        "batch_size": 4,
        "budget": Budget(steps=3000),
    }


def _dials(preset: Callable[[DataSpec], Fields], data: DataSpec) -> tuple[Dial, ...]:
    fields = preset(data)
    dials = [
        Dial("/budget/steps", "Steps", "integer", 1, 1_000_000, fields["budget"].steps),
        Dial("/batch_size", "Batch size", "integer", 1, 1024, fields["batch_size"]),
        Dial("/generator_optimizer/rate", "Learning rate of the generator", "number", 1e-6, 0.1,
             fields["generator_optimizer"].rate),
        Dial("/critic_optimizer/rate", "Learning rate of the critic", "number", 1e-6, 0.1,
             fields["critic_optimizer"].rate),
        Dial("/turns/critic_steps", "Critic moves per generator move", "integer", 1, 10,
             fields["turns"].critic_steps),
    ]  # fmt: skip
    if hasattr(fields["generator"], "width"):
        dials.append(Dial("/generator/width", "Width of the generator", "integer", 8, 256, fields["generator"].width))
    return tuple(dials)


_DIGITS = Images(dataset="digits", side=16, channels=1, classes=10)
_SCENES = Unpaired(dataset="day2night", side=64, channels=3)


def _family(
    name: str, title: str, paper: str, preset: Callable[[DataSpec], Fields], data: DataSpec = _DIGITS
) -> Family:
    game = preset(data)["game"]
    conditional = isinstance(game, Synthesis) and game.conditional
    return Family(name, title, paper, game.kind, conditional, data.dataset, preset, _dials(preset, data))


_ALL = (
    _family("gan", "GAN: the MLP of the lectures", "Goodfellow et al. 2014, arXiv:1406.2661", _gan),
    _family("dcgan", "DCGAN", "Radford et al. 2015, arXiv:1511.06434", _dcgan),
    _family("cdcgan", "Class-conditional DCGAN",
            "Miyato and Koyama 2018, arXiv:1802.05637; Mescheder et al. 2018, arXiv:1801.04406; settings ours",
            _cdcgan),
    _family("wgan", "WGAN with weight clipping", "Arjovsky et al. 2017, arXiv:1701.07875", _wgan),
    _family("wgan_gp", "WGAN with gradient penalty", "Gulrajani et al. 2017, arXiv:1704.00028", _wgan_gp),
    _family("lsgan", "LSGAN: least squares", "Mao et al. 2017, arXiv:1611.04076", _lsgan),
    _family("cyclegan", "CycleGAN: one style into another, without pairs",
            "Zhu et al. 2017, arXiv:1703.10593; below 128 px settings ours", _cyclegan, _SCENES),
)  # fmt: skip

FAMILIES: Mapping[str, Family] = MappingProxyType({family.name: family for family in _ALL})
