"""Check whether weights trained under one recipe can start another."""

from typing import Any

from models.spec.games import Paired
from models.spec.recipe import Recipe

SHAPELESS_FIELDS = frozenset({"activation", "input_scale", "first", "divergence", "hot", "cold", "hard"})
"""fields of a network that change what it computes and not which weights it has"""


def incompatibilities(learned: Recipe, wanted: Recipe) -> list[str]:
    """A sentence for each part in which weights of `learned` do not fit the players of `wanted`; [] where they fit."""
    theirs, ours = _weight_layout(learned), _weight_layout(wanted)
    different = [part for part in sorted(theirs.keys() | ours.keys()) if theirs.get(part) != ours.get(part)]
    kinds = [part for part in different if part.endswith(".kind")]  # where they differ, what they hold tells nothing
    return [
        f"{part} is {_shown(theirs.get(part))} in the checkpoint and {_shown(ours.get(part))} here."
        for part in kinds or different
    ]


def _weight_layout(recipe: Recipe) -> dict[str, Any]:
    """All that decides names and shapes of the players' weights."""
    form = {
        "game.kind": recipe.game.kind,
        "data.channels": getattr(recipe.data, "channels", None),
        "two critics": recipe.objective is not None and recipe.objective.kind == "d2gan",
    }
    for name, network in (("generator", recipe.generator), ("critic", recipe.critic)):
        if network is None:
            form[f"{name}.kind"] = None
            continue
        fields = {
            field: value for field, value in network.model_dump(mode="json").items() if field not in SHAPELESS_FIELDS
        }
        if not recipe.classes:
            fields.pop("conditioning", None)
        if fields.get("dropout"):  # a layer without weights that nevertheless numbers those after it
            fields["dropout"] = "above 0"
        form |= {f"{name}.{field}": value for field, value in fields.items()}
    if not recipe.translates:  # translators take pictures of any side, and no latent
        form |= {
            **{f"data.{name}": getattr(recipe.data, name, None) for name in ("side", "dimension", "length", "symbols")},
            "latent.size": recipe.latent.size,
            "number of classes": recipe.classes,
            "auxiliary penalty": recipe.penalty("auxiliary") is not None,
            "Gaussian code": recipe.generates and recipe.game.kind == "reconstruction",
            "game.packing": getattr(recipe.game, "packing", 1),
        }
    if isinstance(recipe.game, Paired):
        form |= _paired_layout(recipe, recipe.game)
    return form


def _paired_layout(recipe: Recipe, game: Paired) -> dict[str, Any]:
    channels = getattr(recipe.data, "channels", 0)
    form: dict[str, Any] = {
        "number of channels given": game.input_channels(channels),
        "number of channels judged": game.critic_input_channels(channels),
        "game.factor": recipe.upscaling,
    }
    if recipe.critic is not None and recipe.critic.kind == "dcgan":  # it scores whole pictures
        form["data.side"] = getattr(recipe.data, "side", None)
    return form


def _shown(value: Any) -> str:
    return "absent" if value is None else f"{value:g}" if isinstance(value, float) else str(value).lower()
