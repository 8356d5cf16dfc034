"""Helpers of presets: default fields, and settings for points. A preset maps the data's shape to a recipe's fields."""

from typing import Any

from models.spec.data import DataSpec, Images, Points
from models.spec.games import Synthesis
from models.spec.nets import BatchLayer, DcganCritic, DcganGenerator, MlpCritic, MlpGenerator
from models.spec.objectives import NonSaturating
from models.spec.training import Adam, Budget, Constant, Ema, Latent, Linear, Turns

Fields = dict[str, Any]
"""the fields of a Recipe except seed, data and the intervals that follow from the budget"""


def synthesis(**fields: Any) -> Fields:
    """Return DCGAN's settings, changed by `fields`: the defaults of all families of the synthesis game."""
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
"""largest coordinate of a dataset's points, if it is not about 1"""


def points_critic(data: DataSpec, minibatch: BatchLayer = "none") -> MlpCritic:
    """Return a critic that scales points to coordinates up to about 4, whatever the dataset's unit is."""
    scale = 4 / POINT_EXTENT.get(data.dataset, 1.0)
    return MlpCritic(hidden=POINT_LAYERS, activation="relu", input_scale=scale, minibatch=minibatch)


def on_points(data: DataSpec, fields: Fields, **point_fields: Any) -> Fields:
    """Replace the networks by small MLPs if the data are points, and apply `point_fields` (ours: docs/recipes.md)."""
    if not isinstance(data, Points):
        return fields
    adam = Adam(rate=1e-3, beta1=0, beta2=0.99)
    small_networks: Fields = {
        "latent": Latent(size=2, scale=4),
        "generator": MlpGenerator(hidden=POINT_LAYERS, activation="relu"),
        "critic": points_critic(data),
        "generator_optimizer": adam,
        "critic_optimizer": adam,
        "schedule": Linear(flat=0.5),
        "batch_size": 256,
        "ema": Ema(decay=0.99),
    }
    return fields | small_networks | point_fields


def is_small(data: DataSpec) -> bool:
    """Return whether the data are pictures of at most 16 px, for which fewer steps are enough."""
    return isinstance(data, Images) and data.side <= 16
