"""The picture of a full evaluation: what was made, beside what it is compared with."""

import torch
from torch import Tensor

from data.images import Pixels, scatter, sheet, text_sheet
from data.toy import VALID, spelled
from models.spec.datasets import DATASETS
from worker.evaluation.chunked import small
from worker.evaluation.comparison import Comparison
from worker.evaluation.generator_under_test import present
from worker.evaluation.metrics.neighbours import nearest

POINTS, STRINGS, SCATTER, SHOWN = 2_500, 64, 512, 16
"""points, strings, pixels of a scatter plot, and pictures on the sheet"""


def picture_of(compared: list[Comparison]) -> Pixels | None:
    """Draw some of what was compared; None for points on a line."""
    first = compared[0]
    match first.kind:
        case "points":
            return _scatter(first) if first.mixture.modes.shape[1] > 1 else None
        case "strings":
            return _text(first)
        case "drawn" | "decoded":
            return _beside_nearest(first)
        case "rebuilt":
            return _side_by_side([[present(first.wanted), first.made.rows]])
        case _:
            return _side_by_side([_row(c) for c in compared])


def _scatter(c: Comparison) -> Pixels:
    return scatter(c.made.rows[:POINTS].numpy(), SCATTER, c.real.rows[:POINTS].numpy(), c.mixture.modes)


def _text(c: Comparison) -> Pixels:
    """Strings, the valid ones ticked."""
    name = c.test.recipe.data.dataset
    ticked = c.valid[:STRINGS].tolist() if name in VALID else None
    return text_sheet(spelled(c.symbols[:STRINGS].numpy(), DATASETS[name].alphabet), ticked)


def _beside_nearest(c: Comparison) -> Pixels:
    """Pairs of a made picture and the training picture nearest to it."""
    shown = c.made.rows[:SHOWN]
    return _side_by_side([[shown, present(c.test.train.images)[nearest(c.test.originals, small(shown))]]])


def _row(c: Comparison) -> list[Tensor]:
    """What belongs side by side: given, made and wanted, as far as there are such."""
    return [pile for pile in (c.given, c.made.rows, c.wanted) if pile is not None]


def _side_by_side(ways: list[list[Tensor]]) -> Pixels:
    """Pictures that belong together stand side by side, twice a row; SHOWN of each kind in all."""
    rows = [torch.stack([pile[: SHOWN // len(ways)] for pile in way], dim=1).flatten(0, 1) for way in ways]
    pictures = torch.cat(rows).permute(0, 2, 3, 1).contiguous().numpy()
    return sheet(pictures, columns=2 * len(ways[0]), gap=1)
