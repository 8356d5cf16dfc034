"""Know the six runs of the lecture: what each shows, the request that trains it, and the losses that we recorded.

docs/lecture.md explains the same runs to readers. Requests, pictures and records are files of the checkout.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from app.core.errors import NotFound
from app.core.settings import CHECKOUT
from forger.schemas.lectures import LossesOut
from models.spec.wording import unknown

_REQUESTS = CHECKOUT / "examples" / "lecture"
_PICTURES = CHECKOUT / "docs" / "pictures" / "lecture"
_RECORDS = CHECKOUT / "bench" / "results" / "lecture"


@dataclass(frozen=True)
class Words:
    """The words on a run, and its losses in the course: first epoch and last."""

    title: str
    look_for: str
    went_wrong: str | None
    course: list[LossesOut] | None


@dataclass(frozen=True)
class Lecture:
    """One run: what it shows, its request, its recorded losses by epoch, and its picture."""

    name: str
    words: Words
    request: Mapping[str, Any]
    losses: list[LossesOut]
    steps: int
    seconds: float
    picture: Path


def _course(*epochs: tuple[float, float]) -> list[LossesOut]:
    """Return the losses (generator, critic) of epochs of the course."""
    return [LossesOut(step=None, generator=generator, critic=critic) for generator, critic in epochs]


_WORDS: Mapping[str, Words] = {
    "mlp": Words(
        "MLP",
        "Digits made of single dots. The losses go up and down for the whole run, and the pictures get better anyway.",
        "The network paints each pixel by itself: nothing ties neighbouring pixels together, so strokes stay grainy.",
        _course((0.68, 0.72), (0.93, 0.66)),
    ),
    "converges_but_fails": Words(
        "It converges, and it fails",
        "Both losses reach ln 2 = 0.693 and stay there, as in the equilibrium of the theory. Then look at the picture.",
        "The critic has four hidden units and sees no difference. It says 1/2 to every picture, so the generator has "
        "nothing to learn from: equal losses, blurred noise.",
        _course((0.66, 0.70), (0.6931, 0.6931)),
    ),
    "mode_collapse": Words(
        "Mode collapse",
        "The same few shapes again and again. The critic's loss is small and the generator's stays above 2.",
        "The generator is an MLP and its critic a convolutional network that nearly always wins. The generator jumps "
        "between the few shapes that the critic does not reject yet.",
        _course((0.82, 0.70), (3.3, 0.06)),
    ),
    "not_great": Words(
        "Not great",
        "Strokes of uneven thickness, shapes that are nearly digits, specks beside them.",
        "No network has BatchNorm. The critic gets ahead in the second epoch, and the generator learns slowly.",
        None,
    ),
    "good": Words(
        "Good",
        "All ten digits in many handwritings. The losses part at first and then come nearer to each other, towards "
        "ln 2: the number at which the failing run stands too.",
        None,
        _course((0.73, 0.71), (0.70, 0.70)),
    ),
    "good_with_smoothing": Words(
        "Good, with smoothing",
        "The target of real pictures is 0.9 in place of 1, so the critic's loss cannot fall below 0.16. The pictures "
        "come close to those of the good run.",
        None,
        _course((0.72, 0.70), (0.78, 0.70)),
    ),
}
"""by name, in the order of the course"""


@lru_cache
def lectures() -> tuple[Lecture, ...]:
    """Return the six runs in the order of the course."""
    return tuple(_read(name, words) for name, words in _WORDS.items())


def find(name: str) -> Lecture:
    """Return a run. Raises NotFound with the nearest name."""
    found = next((lecture for lecture in lectures() if lecture.name == name), None)
    if found is None:
        raise NotFound(unknown(name, _WORDS, f"There is no lecture '{name[:80]}'"), code="no_lecture")
    return found


def _read(name: str, words: Words) -> Lecture:
    rows = json.loads((_RECORDS / f"{name}.json").read_text())["rows"]
    values = {(row["case"], row["figure"]): row["value"] for row in rows}
    ends = [int(step[1]) for case, figure in values if figure == "critic" and (step := re.match(r"step (\d+)$", case))]
    # The last record is of the few steps after the last whole epoch.
    epochs = [step for step in ends if step % ends[0] == 0]
    return Lecture(
        name=name,
        words=words,
        request=json.loads((_REQUESTS / f"{name}.json").read_text()),
        losses=[
            LossesOut(
                step=step,
                generator=values[f"step {step}", "generator"],
                critic=values[f"step {step}", "critic"],
            )
            for step in epochs
        ],
        steps=ends[-1],
        seconds=values["whole run", "seconds"],
        picture=_PICTURES / f"{name}.png",
    )
