"""The report of an augmentation: gains with intervals, verdicts, warnings, and the recall of each class."""

import numpy as np
import pytest

from forger.schemas.augmentations import AugmentationReport, AugmentedGenerator, Gain
from worker.augmentation import report
from worker.augmentation.report import ClassPictures
from worker.augmentation.selection import Selection

SEEDS, HELD_OUT = 3, 400
GENERATOR = AugmentedGenerator(family="cdcgan", export_sha256="0" * 64, step=3)
SETTINGS = {
    "dataset": "digits", "side": 16, "channels": 1, "per_class": 10, "seed": 0, "seeds": SEEDS,
    "classifier_steps": 100, "batch_size": 128,
}  # fmt: skip


def right(*shares: float) -> report.Correct:
    """Results of one classifier per share, which is right about the first pictures."""
    return np.stack([np.arange(HELD_OUT) < round(share * HELD_OUT) for share in shares])


def built(
    kept: int = 10, training: int = 60, classifier_steps: int = 100, **correct: report.Correct
) -> AugmentationReport:
    labels = np.arange(HELD_OUT) % 2
    selection = Selection(12, 1, 1, 0, tuple(range(kept)))
    classes = [ClassPictures(name, training, selection) for name in ("cat", "dog")]
    return report.build(correct, labels, classes, GENERATOR, **SETTINGS | {"classifier_steps": classifier_steps})


def test_augmentation_is_useful_only_if_the_interval_of_its_gain_lies_above_zero() -> None:
    base = right(0.80, 0.81, 0.80)
    helped = built(real=base, both=right(0.95, 0.96, 0.95), classical=base)
    assert helped.useful
    assert helped.gains["both"].low > 0
    assert helped.verdict.startswith("The generated pictures help: +15.0 points")
    unclear = built(real=base, both=right(0.84, 0.79, 0.82), classical=base)
    assert unclear.gains["both"].mean > 0 > unclear.gains["both"].low
    assert not unclear.useful
    assert unclear.verdict.startswith("No gain is shown: ")
    harmed = built(real=base, both=right(0.60, 0.61, 0.60), classical=base)
    assert not harmed.useful
    assert harmed.verdict.endswith("Do not add them.")


def test_gain_that_classical_augmentation_reaches_too_is_not_praised() -> None:
    better = right(0.95, 0.96, 0.95)
    verdict = built(real=right(0.80, 0.81, 0.80), both=better, classical=better).verdict
    assert verdict.endswith("generated ones are not shown to be better.")


def test_interval_covers_the_seeds_and_the_held_out_pictures() -> None:
    same_gain = report.gain(right(0.8, 0.8, 0.8), right(0.9, 0.9, 0.9))
    assert same_gain.low < 0.1 < same_gain.high, "the pictures alone give it a width"
    noisier = report.gain(right(0.8, 0.8, 0.8), right(0.7, 0.9, 1.0))
    assert noisier.high - noisier.low > same_gain.high - same_gain.low
    assert report.gain(right(0.8, 0.9, 0.7), right(0.8, 0.9, 0.7)) == Gain(mean=0.0, low=0.0, high=0.0)


def test_accuracy_and_recall_have_mean_and_deviation_over_the_seeds() -> None:
    described = built(real=right(0.5, 0.6, 0.7), both=right(0.8, 0.8, 0.8), classical=right(0.5, 0.6, 0.7))
    assert described.accuracy["real"].mean == pytest.approx(0.6)
    assert described.accuracy["real"].deviation == pytest.approx(0.1)
    assert described.accuracy["real"].values == [0.5, 0.6, 0.7]
    cat = described.classes[0]
    assert cat.recall_before is not None
    assert cat.recall_after is not None
    assert (cat.recall_before.values, cat.recall_after.mean, cat.held_out) == ([0.5, 0.6, 0.7], 0.8, 200)
    assert (cat.generated, cat.disagreed, cat.near_training, cat.near_generated, cat.kept) == (12, 1, 1, 0, 10)


def test_few_real_pictures_few_kept_ones_and_a_lower_recall_are_warned_of() -> None:
    base = right(0.8, 0.8, 0.8)
    assert built(real=base, both=base, classical=base).warnings == []
    few, short, fallen = built(
        kept=4, training=49, real=right(0.9, 0.9, 0.9), both=right(0.5, 0.5, 0.5), classical=base
    ).warnings
    assert "2603.16134" in few
    assert few.startswith("Fewer than 50 real training pictures: cat and dog.")
    assert short == "Fewer pictures than requested (10) passed the filter: cat (4) and dog (4)."
    assert fallen.startswith("Recall is lower with the generated pictures: cat (-40.0 points)")


def test_test_that_is_too_small_to_conclude_is_warned_of() -> None:
    base = right(0.8, 0.8, 0.8)
    short = built(real=base, both=base, classical=base, classifier_steps=99).warnings
    assert short == ["Classifiers are too weak after 99 steps to conclude anything: train them for 100 steps or more."]
    few = dict.fromkeys(("real", "both", "classical"), base[:, :29])
    labels = np.arange(29) % 2
    classes = [ClassPictures(name, 60, Selection(10, 0, 0, 0, tuple(range(10)))) for name in ("cat", "dog")]
    assert report.build(few, labels, classes, GENERATOR, **SETTINGS).warnings == [
        "Only 29 pictures are held out, too few to conclude anything: upload 30 or more to test with."
    ]


def test_report_without_a_kept_picture_compares_the_other_sets_and_praises_nothing() -> None:
    described = built(kept=0, real=right(0.8, 0.8, 0.9), classical=right(0.9, 0.9, 0.9))
    assert not described.useful
    assert described.verdict.startswith("No generated picture passed the filter")
    assert sorted(described.accuracy) == ["classical", "real"]
    assert described.classes[0].recall_after is None


def test_class_without_held_out_pictures_has_no_recall() -> None:
    labels, base = np.zeros(HELD_OUT, np.int64), right(0.8, 0.8, 0.8)
    classes = [ClassPictures(name, 60, Selection(1, 0, 0, 0, (0,))) for name in ("cat", "dog")]
    described = report.build({"real": base, "both": base, "classical": base}, labels, classes, GENERATOR, **SETTINGS)
    assert (described.classes[1].held_out, described.classes[1].recall_before) == (0, None)
