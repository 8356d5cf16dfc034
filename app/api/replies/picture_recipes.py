"""Describe the request in its PNG: the text that `forger.picture_recipe` and the studio read back."""

import json
from collections.abc import Sequence
from typing import Any

from app.api.replies.rendering import Describe
from app.services.inference.latents import Codes
from forger.wire import MAX_PNG_TEXT_BYTES, VERSION
from serving.protocol import Direction, Pick

# json.dumps builds a new one at each call.
_ENCODER = json.JSONEncoder(separators=(",", ":"))


def of_samples(
    model: str,
    picks: Sequence[Pick],
    *,
    label: int | str | None,
    n: int,
    seed: int,
    temperature: float,
    truncation: float | None = None,
) -> Describe:
    """Return the function that describes the samples of a request.

    One picture of several has its own class and `index`: /sample with n = index + 1 of that class returns it last. A
    sheet has the class of the request and no index.
    """
    common = {"model": model, "seed": seed, "class": label, "temperature": temperature, "version": VERSION, "n": n}
    if truncation is not None:
        common["truncation"] = truncation

    def describe(number: int | None) -> str:
        if number is None:
            return _compact(common | {"index": None})
        class_, index = picks[number]
        return _compact(common | {"class": class_, "index": index})

    return describe


def of_codes(model: str, codes: Codes, label: int | None) -> Describe:
    """Return the function that describes pictures of sent latents.

    One picture has its latent, and its weights of the classes unless one class is chosen, if they fit into the text. A
    sheet has neither.
    """
    common: dict[str, Any] = {"model": model, "class": label, "version": VERSION, "n": len(codes)}

    def describe(number: int | None) -> str:
        if number is None:
            return _compact(common | {"index": None})
        whole = common | {"index": number, "latent": codes.latents[number].tolist()}
        if label is None and codes.weights is not None:
            whole["class_weights"] = codes.weights[number].tolist()
        text = _compact(whole)
        return text if len(text) <= MAX_PNG_TEXT_BYTES else _compact(common | {"index": number})

    return describe


def of_figure(model: str, **how: Any) -> str:
    """Return the description of a figure, such as a strip of an interpolation; without `how` if that is too long."""
    text = _compact({"model": model, **how, "version": VERSION})
    return text if len(text) <= MAX_PNG_TEXT_BYTES else _compact({"model": model, "version": VERSION})


def of_translation(model: str, direction: Direction) -> str:
    """Return the description of a translated picture."""
    return _compact({"model": model, "direction": direction, "version": VERSION})


def _compact(recipe: dict[str, Any]) -> str:
    """Return ASCII: JSON escapes all other characters."""
    return _ENCODER.encode(recipe)
