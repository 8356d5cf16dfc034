"""The methods of `Forger` about latents, the vectors from which a generator generates."""

from collections.abc import Sequence
from typing import Any

from forger.connection import Connection
from forger.picture import Picture
from forger.schemas.samples import Format, Latents

Vectors = Sequence[Sequence[float]]
"""latents or weights of classes, a row for each picture"""


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
        class_weights: Vectors | None = None,
        scale: int | None = None,
        format: Format | None = None,
    ) -> Picture:
        """Generate from latents, in place of a seed: a picture, or a grid of several.

        A model with classes needs `class_`, or for each latent the weights of all classes, which sum to 1.

        >>> one, other = forger.latents(n=2, model="gan-ring8", seed=1).latents
        >>> middle = [(a + b) / 2 for a, b in zip(one, other)]
        >>> forger.decode([one, middle, other], model="gan-ring8").save("between.png")
        """
        optional = {"class": None if class_ is None else str(class_), "scale": scale, "format": format}
        weights = None if class_weights is None else [list(row) for row in class_weights]
        body = {"model": model, "latents": [list(row) for row in latents], "class_weights": weights, **optional}
        return Picture.of(self._connection.request("POST", "/sample", json=_without_none(body)))


def _without_none(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
