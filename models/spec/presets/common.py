"""Helpers of presets. A preset maps the data's shape to the fields of a recipe."""

from typing import Any

from models.spec.data import DataSpec, Images, Points
from models.spec.games import Synthesis
from models.spec.nets import BatchLayer, DcganCritic, DcganGenerator, MlpCritic, MlpGenerator
from models.spec.objectives import NonSaturating
from models.spec.training import Adam, Budget, Constant, Ema, Latent, Linear, Turns

Fields = dict[str, Any]
"""The fields of a Recipe but for seed, data and what follows from the budget."""


def synthesis(**fields: Any) -> Fields:
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


POINT_LAYERS = (128, 128, 128)
POINT_EXTENT = {"grid25": 4.0}
"""how far from the middle a dataset's points lie, where that is not about 1"""


def points_critic(data: DataSpec, minibatch: BatchLayer = "none") -> MlpCritic:
    """A critic that sees points which reach to about 4, however large the dataset's own unit is."""
    scale = 4 / POINT_EXTENT.get(data.dataset, 1.0)
    return MlpCritic(hidden=POINT_LAYERS, activation="relu", input_scale=scale, minibatch=minibatch)


def on_points(data: DataSpec, fields: Fields, **own: Any) -> Fields:
    """The same game between small MLPs when the data are points (settings ours: docs/recipes.md)."""
    if not isinstance(data, Points):
        return fields
    adam = Adam(rate=1e-3, beta1=0, beta2=0.99)
    is_small: Fields = {
        "latent": Latent(size=2, scale=4),
        "generator": MlpGenerator(hidden=POINT_LAYERS, activation="relu"),
        "critic": points_critic(data),
        "generator_optimizer": adam,
        "critic_optimizer": adam,
        "schedule": Linear(flat=0.5),
        "batch_size": 256,
        "ema": Ema(decay=0.99),
    }
    return fields | is_small | own


def is_small(data: DataSpec) -> bool:
    """Pictures of 16 px at most, for which less is enough."""
    return isinstance(data, Images) and data.side <= 16
