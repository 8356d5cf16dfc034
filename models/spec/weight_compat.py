"""Check whether weights trained under one recipe can start another."""

from typing import Any

from models.spec.games import Paired
from models.spec.recipe import Recipe

SHAPELESS_FIELDS = frozenset({"activation", "input_scale", "first", "divergence", "hot", "cold", "hard"})
"""fields of a network that change its computation but not the names and shapes of its weights"""


def incompatibilities(source: Recipe, target: Recipe) -> list[str]:
    """Return a sentence per reason why weights of `source` do not fit the networks of `target`; [] if they fit."""
    old, new = _weight_layout(source), _weight_layout(target)
    different = [part for part in sorted(old.keys() | new.keys()) if old.get(part) != new.get(part)]
    # If kinds differ, differences of their fields mean nothing.
    kinds = [part for part in different if part.endswith(".kind")]
    return [
        f"{part} is {_shown(old.get(part))} in the checkpoint and {_shown(new.get(part))} here."
        for part in kinds or different
    ]


def _weight_layout(recipe: Recipe) -> dict[str, Any]:
    """Return all settings that decide names and shapes of the players' weights."""
    layout = {
        "game.kind": recipe.game.kind,
        "data.channels": getattr(recipe.data, "channels", None),
        "two critics": recipe.objective is not None and recipe.objective.kind == "d2gan",
    }
    for name, network in (("generator", recipe.generator), ("critic", recipe.critic)):
        if network is None:
            layout[f"{name}.kind"] = None
            continue
        fields = {
            field: value for field, value in network.model_dump(mode="json").items() if field not in SHAPELESS_FIELDS
        }
        if not recipe.classes:
            fields.pop("conditioning", None)
        # A dropout layer has no weights, but shifts the indices of later layers.
        if fields.get("dropout"):
            fields["dropout"] = "above 0"
        layout |= {f"{name}.{field}": value for field, value in fields.items()}
    # Translators take pictures of any side, and no latent.
    if not recipe.translates:
        layout |= {
            **{f"data.{name}": getattr(recipe.data, name, None) for name in ("side", "dimension", "length", "symbols")},
            "latent.size": recipe.latent.size,
            "number of classes": recipe.classes,
            "auxiliary penalty": recipe.penalty("auxiliary") is not None,
            "Gaussian code": recipe.generates and recipe.game.kind == "reconstruction",
            "game.packing": getattr(recipe.game, "packing", 1),
        }
    if isinstance(recipe.game, Paired):
        layout |= _paired_layout(recipe, recipe.game)
    return layout


def _paired_layout(recipe: Recipe, game: Paired) -> dict[str, Any]:
    channels = getattr(recipe.data, "channels", 0)
    layout: dict[str, Any] = {
        "number of channels given": recipe.input_channels,
        "number of channels judged": game.critic_input_channels(channels),
        "game.factor": recipe.upscaling,
    }
    # A DCGAN critic scores whole pictures of one side; a patch critic takes any.
    if recipe.critic is not None and recipe.critic.kind == "dcgan":
        layout["data.side"] = getattr(recipe.data, "side", None)
    return layout


def _shown(value: Any) -> str:
    return "absent" if value is None else f"{value:g}" if isinstance(value, float) else str(value).lower()
