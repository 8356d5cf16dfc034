"""Any number of pictures trains: every count that is taken from data is the least over its inputs."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from data.readers.builtin import Data, load
from models import checkpoint
from models.export import export_checkpoint, load_export
from models.spec.data import Points, Sequences
from models.spec.families import FAMILIES
from models.spec.resolve import RecipeRefused, merge, resolve
from tests.worker.training.test_exactness import SMALL
from worker.evaluation import generator_under_test
from worker.training.listener import Finished, Quiet, Report
from worker.training.loop import train
from worker.training.numerics import apply, measure

STEPS = 4


@pytest.fixture(autouse=True)
def quick_judges(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generator_under_test, "QUICK", 5)


class Sheets(Quiet):
    """Draws every sheet of samples."""

    def __init__(self) -> None:
        self.drawn: list[bytes] = []

    def report(self, report: Report) -> None:
        if report.draw is not None:
            self.drawn.append(report.draw())


def few(pile: Tensor | None, count: int, kind: str) -> Tensor | None:
    if pile is None or kind == "different":
        return None if pile is None else pile[:count]
    return pile[:1].repeat(count, *[1] * (pile.dim() - 1)) if kind == "equal" else torch.full_like(pile[:count], 200)


CASES = [
    *((family, count, count, "different") for family in FAMILIES for count in (1, 2, 3)),
    *((family, 20, 20, kind) for family in FAMILIES for kind in ("equal", "blank")),
    *(("cyclegan", a, b, "different") for a, b in ((1, 30), (30, 1), (2, 3), (1, 2))),
]


@pytest.mark.sampled(10, quick=2)
@pytest.mark.parametrize(("family", "a", "b", "kind"), CASES)
def test_few_pictures_train_are_watched_and_served(family: str, a: int, b: int, kind: str, tmp_path: Path) -> None:
    small = merge({"batch_size": 4}, SMALL.get(family, {}))
    watched = {"watch": {"every": 2, "samples": 16}, "report_every": 2}
    try:
        _, recipe = resolve(family, seed=1, budget={"steps": STEPS}, overrides=merge(small, watched))
    except RecipeRefused:
        _, recipe = resolve(family, seed=1, budget={"steps": STEPS}, overrides=merge(small, {"report_every": 2}))
    if isinstance(recipe.data, Points | Sequences):
        return
    whole = load(recipe.data, None)
    # A label of each class would be more examples than there are: intake makes classes of the folders that it finds.
    data = Data(
        images=few(whole.images, a, kind), labels=None if whole.labels is None else whole.labels[:a],
        a=few(whole.a, a, kind), b=few(whole.b, a if recipe.data.kind == "paired" else b, kind),
    )  # fmt: skip
    numerics = measure("cpu", recipe, 1)
    apply(numerics)
    sheets = Sheets()
    how = {"folder": tmp_path, "attempt": 1, "resume": None, "numerics": numerics, "judges": tmp_path}
    ended = train(recipe, data, sheets, **how)  # type: ignore[arg-type]
    assert isinstance(ended, Finished)
    assert sheets.drawn
    assert all(sheet.startswith(b"\x89PNG") for sheet in sheets.drawn)
    export_checkpoint(recipe, checkpoint.path_of_step(tmp_path, ended.step), tmp_path / "export.safetensors")
    assert load_export(tmp_path / "export.safetensors").networks
