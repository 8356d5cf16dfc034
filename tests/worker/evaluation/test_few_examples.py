"""Training, watching and exporting work with any number of pictures, equal or blank ones included."""

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
from tests.support.recipes import SMALL_OVERRIDES
from worker.evaluation import generator_under_test
from worker.training.listener import Finished, NullListener, StepReport
from worker.training.loop import train
from worker.training.numerics import apply, local_numerics

STEPS = 4


@pytest.fixture(autouse=True)
def quick_judges(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generator_under_test, "QUICK_STEPS", 5)


class SheetDrawer(NullListener):
    """A listener that draws every sample sheet."""

    def __init__(self) -> None:
        self.sheets: list[bytes] = []

    def report(self, report: StepReport) -> None:
        if report.draw is not None:
            self.sheets.append(report.draw())


def reduced(examples: Tensor | None, count: int, kind: str) -> Tensor | None:
    """Return the first examples, the first one `count` times, or blank ones."""
    if examples is None:
        return None
    match kind:
        case "different":
            return examples[:count]
        case "equal":
            return examples[:1].repeat(count, *[1] * (examples.dim() - 1))
        case _:
            return torch.full_like(examples[:count], 200)


CASES = [
    *((family, count, count, "different") for family in FAMILIES for count in (1, 2, 3)),
    *((family, 20, 20, kind) for family in FAMILIES for kind in ("equal", "blank")),
    *(("cyclegan", a, b, "different") for a, b in ((1, 30), (30, 1), (2, 3), (1, 2))),
]


@pytest.mark.sampled(10, quick=2)
@pytest.mark.parametrize(("family", "a", "b", "kind"), CASES)
def test_few_or_equal_pictures_are_trained_watched_and_exported(
    family: str, a: int, b: int, kind: str, tmp_path: Path
) -> None:
    small = merge({"batch_size": 4}, SMALL_OVERRIDES.get(family, {}))
    watched = {"watch": {"every": 2, "samples": 16}, "report_every": 2}
    try:
        _, recipe = resolve(family, seed=1, budget={"steps": STEPS}, overrides=merge(small, watched))
    except RecipeRefused:
        _, recipe = resolve(family, seed=1, budget={"steps": STEPS}, overrides=merge(small, {"report_every": 2}))
    if isinstance(recipe.data, Points | Sequences):
        return
    whole = load(recipe.data, None)
    # Most classes have no example here. In an upload each has one: its classes are the folders that it contains.
    data = Data(
        images=reduced(whole.images, a, kind), labels=None if whole.labels is None else whole.labels[:a],
        a=reduced(whole.a, a, kind), b=reduced(whole.b, a if recipe.data.kind == "paired" else b, kind),
    )  # fmt: skip
    numerics = local_numerics("cpu", recipe, 1)
    apply(numerics)
    drawer = SheetDrawer()
    options = {"folder": tmp_path, "attempt": 1, "resume": None, "numerics": numerics, "judges": tmp_path}
    ended = train(recipe, data, drawer, **options)  # type: ignore[arg-type]
    assert isinstance(ended, Finished)
    assert drawer.sheets
    assert all(sheet.startswith(b"\x89PNG") for sheet in drawer.sheets)
    export_checkpoint(recipe, checkpoint.path_of_step(tmp_path, ended.step), tmp_path / "export.safetensors")
    assert load_export(tmp_path / "export.safetensors").networks
