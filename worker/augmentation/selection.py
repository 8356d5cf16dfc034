"""Filter generated pictures: by a classifier of the real ones, and by their distance to others.

The filter sees training pictures only. Held-out pictures would make the test of the pictures that it keeps too kind.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import count
from typing import Any

import torch
from torch import Tensor

from data.batches import scaled
from data.readers.base import Data, Heartbeat
from worker.evaluation.chunked import downscaled
from worker.evaluation.judge import Judge
from worker.evaluation.metrics.neighbours import distances_to_nearest, near_copy_distance

MAX_DRAWS = 4
"""pictures that are generated at most for each one to keep"""
DRAWN_TOGETHER = 128
"""pictures that are generated and filtered at a time"""
DESCRIPTION = (
    "A picture is kept if a classifier of the real training pictures sees the class it was generated for, and if it "
    "is no near copy of a training picture or of a kept one of its class: nearer, as 16 x 16 pixels, than 0.4 of the "
    "usual distance of a training picture to the nearest other one. At most 4 are generated for each one to keep."
)
Draw = Callable[[range], Tensor]
"""returns the generated pictures of a class, uint8 [n, c, s, s], by their numbers"""


@dataclass(frozen=True, slots=True)
class Selection:
    """The result of the filter for one class: counts of pictures, and the numbers of those kept."""

    generated: int
    disagreed: int
    near_training: int
    near_generated: int
    kept: tuple[int, ...]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> "Selection":
        return cls(**{**stored, "kept": tuple(stored["kept"])})


class Filter:
    """A filter for pictures that resemble the training pictures `data`; `judge` is a classifier trained on them."""

    def __init__(self, data: Data, judge: Judge, heartbeat: Heartbeat) -> None:
        assert data.images is not None
        self._training = downscaled(data.images, heartbeat=heartbeat)
        self._near = near_copy_distance(self._training)
        self._judge = judge
        self._heartbeat = heartbeat

    def select(self, label: int, wanted: int, draw: Draw) -> Selection:
        """Filter pictures of a class in the order of their numbers until `wanted` are kept, or too many were drawn."""
        reasons = {"disagreed": 0, "near_training": 0, "near_generated": 0}
        kept, kept_rows, generated = list[int](), torch.empty(0, self._training.shape[1]), 0
        for start in count(0, DRAWN_TOGETHER):
            numbers = range(start, min(start + DRAWN_TOGETHER, MAX_DRAWS * wanted))
            if not numbers:
                break
            pictures = draw(numbers)
            self._heartbeat()
            agrees, rows = self._judge.embed(scaled(pictures))[1].argmax(dim=1) == label, downscaled(pictures)
            is_copy = distances_to_nearest(rows, self._training) < self._near
            for number, agreed, copied, row in zip(numbers, agrees, is_copy, rows, strict=True):
                generated += 1
                if not agreed:
                    reasons["disagreed"] += 1
                elif copied:
                    reasons["near_training"] += 1
                elif float(distances_to_nearest(row[None], kept_rows)) < self._near:
                    reasons["near_generated"] += 1
                else:
                    kept.append(number)
                    kept_rows = torch.cat([kept_rows, row[None]])
                    if len(kept) == wanted:
                        return Selection(generated, **reasons, kept=tuple(kept))
            self._heartbeat()
        return Selection(generated, **reasons, kept=tuple(kept))
