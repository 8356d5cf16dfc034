"""The whole bench in small: scikit-learn's digits stand in for MNIST, seconds for minutes."""

import math
from pathlib import Path

import pytest

from bench import judge, quality
from bench.quality import Plan
from models.spec.data import Images
from worker.training import numerics
from worker.training.data import Data, load

TINY = Plan(marks=(0.5, 1), calibration=8, judge_epochs=1, drawn=100, drawn_for_training=200, student_epochs=1)
FIGURES = ["seconds", "step", "agreement", "spread", "frechet", "gan_train"]


def test_every_mark_gets_every_figure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judge, "CACHE", tmp_path)
    whole = load(Images(dataset="digits", side=28, channels=1, classes=10), None)
    assert whole.images is not None
    assert whole.labels is not None
    few = Data(images=whole.images[:300], labels=whole.labels[:300])
    rows = quality.measure(TINY, few, few, numerics.measure("cpu", quality._recipe(1), 1))
    cases = {case: [row.figure for row in rows if row.case == case] for case in dict.fromkeys(row.case for row in rows)}
    assert cases == {"real digits": FIGURES[2:5], "0.5 s": FIGURES, "1 s": FIGURES}
    assert all(math.isfinite(row.value) for row in rows)
    assert [path.suffix for path in tmp_path.iterdir()] == [".pt"]
