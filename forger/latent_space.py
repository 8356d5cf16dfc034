"""The methods of `Forger` about latents, the vectors from which a generator generates."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from forger.connection import UPLOAD_TIMEOUT, Connection
from forger.picture import Picture
from forger.picture_requests import file_part
from forger.references import version_path
from forger.schemas import interpolations
from forger.schemas.arithmetic import ArithmeticOut
from forger.schemas.directions import DirectionKind, DirectionList, EditOut
from forger.schemas.interpolations import Mode
from forger.schemas.inversion import InversionOut
from forger.schemas.samples import Format, Latents

if TYPE_CHECKING:
    from PIL.Image import Image

Vectors = Sequence[Sequence[float]]
"""latents or weights of classes, a row for each picture"""
Classes = Sequence[int | str | None]
"""the class of each latent; None for a model without classes"""


class LatentSpace:
    """A connection's requests about latents; `Forger` inherits them."""

    _connection: Connection

    def latents(
        self,
        class_: int | str | None = None,
        n: int = 1,
        *,
        model: str | None = None,
        seed: int | None = None,
        temperature: float | None = None,
        truncation: float | None = None,
    ) -> Latents:
        """Return the latents from which `sample` draws with the same arguments, and the class of each.

        >>> latents = forger.latents(n=2, model="gan-ring8", seed=1).latents
        """
        how = {"model": model, "class": class_, "seed": seed, "temperature": temperature, "truncation": truncation}
        fields = {"n": n, "format": "json", "latents": True, **_without_none(how)}
        return self._connection.read(Latents, "/sample", params=fields)

    def decode(
        self,
        latents: Vectors,
        *,
        model: str,
        class_: int | str | None = None,
        classes: Classes | None = None,
        class_weights: Vectors | None = None,
        scale: int | None = None,
        format: Format | None = None,
    ) -> Picture:
        """Generate from latents, in place of a seed: a picture, or a grid of several.

        A model with classes needs `class_`, or for each latent one of `classes` or the weights of all classes,
        which sum to 1. `latents` returns the classes that belong to its latents.

        >>> one, other = forger.latents(n=2, model="gan-ring8", seed=1).latents
        >>> middle = [(a + b) / 2 for a, b in zip(one, other)]
        >>> forger.decode([one, middle, other], model="gan-ring8").save("between.png")
        """
        chosen = _classes(class_, classes, class_weights)
        body = {"model": model, "latents": _lists(latents), **chosen, "scale": scale, "format": format}
        return Picture.of(self._connection.request("POST", "/sample", json=_without_none(body)))

    def interpolate(
        self,
        *samples: int | str,
        frames: int | None = None,
        mode: Mode | None = None,
        loop: bool | None = None,
        class_: int | str | None = None,
        model: str | None = None,
        temperature: float | None = None,
        truncation: float | None = None,
        scale: int | None = None,
        fps: int | None = None,
        format: interpolations.Format | None = None,
    ) -> Picture:
        """Draw the way from sample to sample: a strip, or as `format` "webp" or "apng" an animation.

        A sample is SEED, SEED.INDEX or SEED.INDEX:CLASS; `class_` is that of samples that name none. `mode` is "slerp"
        (on great circles) or "linear"; with `loop` the way returns to its beginning. Raises ValueError for fewer than
        two samples.

        >>> forger.interpolate("1:3", "1:7", model="cdcgan-digits", frames=24, format="webp").save("way.webp")
        """
        if len(samples) < 2:
            raise ValueError("An interpolation has two samples or more, such as 1 and 2.")
        first, *via, last = samples
        way = {"from": first, "to": last, "via": via or None, "frames": frames, "mode": mode, "loop": loop}
        how = {"class": class_, "model": model, "temperature": temperature, "truncation": truncation}
        fields = _without_none({**way, **how, "scale": scale, "fps": fps, "format": format})
        return Picture.of(self._connection.request("GET", "/interpolate", params=fields))

    def add_latents(
        self,
        terms: Sequence[Mapping[str, Any]],
        *,
        model: str,
        class_: int | str | None = None,
        normalise: bool | None = None,
        temperature: float | None = None,
        truncation: float | None = None,
        scale: int | None = None,
    ) -> ArithmeticOut:
        """Add latents: each term is the mean of its `samples` and `latents`, times its `weight`.

        The reply has the latents and pictures (PNG in base64) of every term and of the result; docs/api.md describes
        the fields. `normalise` scales the result to the length of draws from the prior.

        >>> terms = [{"samples": ["1:7"]}, {"samples": ["2:7"], "weight": -1}, {"samples": ["3:3"]}]
        >>> forger.add_latents(terms, model="cdcgan-digits").result.class_weights
        """
        body = _sum(terms, model, class_, normalise, temperature, truncation, scale)
        return self._connection.read(ArithmeticOut, "/latent/arithmetic", "POST", json=body)

    def latent_figure(
        self,
        terms: Sequence[Mapping[str, Any]],
        *,
        model: str,
        class_: int | str | None = None,
        normalise: bool | None = None,
        temperature: float | None = None,
        truncation: float | None = None,
        scale: int | None = None,
    ) -> Picture:
        """Draw the sum of `add_latents` as one picture: a column for each term, and the result in the last.

        >>> forger.latent_figure([{"samples": [1, 2]}, {"samples": [3]}], model="cdcgan-digits").save("sum.png")
        """
        body = _sum(terms, model, class_, normalise, temperature, truncation, scale) | {"format": "png"}
        return Picture.of(self._connection.request("POST", "/latent/arithmetic", json=body))

    def invert(
        self,
        picture: "str | Path | bytes | Image",
        *,
        model: str | None = None,
        class_: int | str | None = None,
        seed: int | None = None,
        steps: int | None = None,
        restarts: int | None = None,
        feature_weight: float | None = None,
    ) -> InversionOut:
        """Find the latent from which a model generates a picture, and how near the result is. It takes seconds.

        Of a model with classes the class of the lowest error is chosen, unless `class_` is given.

        >>> found = forger.invert("seven.png", model="cdcgan-digits")
        >>> forger.decode(found.latents, model=found.model, classes=found.classes).save("again.png")
        """
        search = {"seed": seed, "steps": steps, "restarts": restarts, "feature_weight": feature_weight}
        fields = _without_none({"model": model, "class": class_, **search})
        # Its parts may wait behind others, for a minute each.
        sent = {"data": fields, "files": {"file": file_part(picture)}, "timeout": UPLOAD_TIMEOUT}
        return self._connection.read(InversionOut, "/invert", "POST", **sent)

    def find_directions(
        self,
        model: str,
        name: str,
        kind: DirectionKind = "closed_form",
        *,
        n: int | None = None,
        seed: int | None = None,
        from_: Mapping[str, Any] | None = None,
        to: Mapping[str, Any] | None = None,
    ) -> DirectionList:
        """Find directions of the latent space of a model, keep them under the name, and return them.

        They belong to one version: `model` is name@version, or name for its newest version.
        The kinds `closed_form` and `principal` need no labels and find n directions. `means` finds the one from the
        mean of some latents to that of others, each given as {"samples": [...], "latents": [...]}.

        >>> forger.find_directions("dcgan-digits@1", "stroke", n=4)
        >>> one, other = {"samples": ["1", "2"]}, {"samples": ["3", "4"]}
        >>> forger.find_directions("dcgan-digits@1", "slant", "means", from_=one, to=other)
        """
        fields = {"name": name, "kind": kind, "n": n, "seed": seed, "from": from_, "to": to}
        return self._connection.read(DirectionList, self._directions(model), "POST", json=_without_none(fields))

    def directions(self, model: str) -> DirectionList:
        """List the directions of name@version, or of a name's newest version, oldest first."""
        return self._connection.read(DirectionList, self._directions(model))

    def delete_direction(self, model: str, name: str) -> None:
        """Delete a direction of name@version, or of a name's newest version."""
        self._connection.request("DELETE", f"{self._directions(model)}/{quote(name, safe='')}")

    def edit(
        self,
        moves: Sequence[Mapping[str, float]],
        *,
        model: str,
        samples: Sequence[str | int] = (),
        latents: Vectors = (),
        class_: int | str | None = None,
        classes: Classes | None = None,
        class_weights: Vectors | None = None,
        scale: int | None = None,
    ) -> EditOut:
        """Move samples and latents along directions: for each a row of pictures and latents, one for each move.

        The classes of latents are given as for `decode`.

        >>> forger.edit([{"slant": -2}, {}, {"slant": 2}], model="dcgan-digits", samples=[1]).rows[0]
        """
        chosen = _classes(class_, classes, class_weights)
        return self._connection.read(
            EditOut, "/edit", "POST", json=_edit(moves, model, samples, latents, chosen, scale)
        )

    def edited_sheet(
        self,
        moves: Sequence[Mapping[str, float]],
        *,
        model: str,
        samples: Sequence[str | int] = (),
        latents: Vectors = (),
        class_: int | str | None = None,
        classes: Classes | None = None,
        class_weights: Vectors | None = None,
        scale: int | None = None,
    ) -> Picture:
        """Draw the pictures of `edit` as one: a row for each sample and latent, a column for each move."""
        chosen = _classes(class_, classes, class_weights)
        body = _edit(moves, model, samples, latents, chosen, scale) | {"format": "png"}
        return Picture.of(self._connection.request("POST", "/edit", json=body))

    def _directions(self, model: str) -> str:
        return f"{version_path(self._connection, model)}/directions"


def _sum(
    terms: Sequence[Mapping[str, Any]],
    model: str,
    class_: int | str | None,
    normalise: bool | None,
    temperature: float | None,
    truncation: float | None,
    scale: int | None,
) -> dict[str, Any]:
    texts = [{**term, "samples": _texts(term["samples"])} if "samples" in term else dict(term) for term in terms]
    how = {"temperature": temperature, "truncation": truncation, "scale": scale, "normalise": normalise}
    return _without_none({"model": model, "terms": texts, "class": class_, **how})


def _edit(
    moves: Sequence[Mapping[str, float]],
    model: str,
    samples: Sequence[str | int],
    latents: Vectors,
    classes: Mapping[str, Any],
    scale: int | None,
) -> dict[str, Any]:
    rows = {"samples": _texts(samples), "latents": _lists(latents)}
    return _without_none({"model": model, "moves": list(moves), **rows, **classes, "scale": scale})


def _classes(class_: int | str | None, classes: Classes | None, class_weights: Vectors | None) -> dict[str, Any]:
    return {
        "class": class_,
        "classes": None if classes is None else list(classes),
        "class_weights": None if class_weights is None else _lists(class_weights),
    }


def _lists(vectors: Vectors) -> list[list[float]]:
    return [list(row) for row in vectors]


def _texts(samples: Sequence[str | int]) -> list[str]:
    return [str(sample) for sample in samples]


def _without_none(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
