"""Say from the classifiers' results whether generated pictures help: a gain counts if its interval excludes zero."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.services.jobs import augmentation_warnings, confidence
from forger.schemas.augmentations import AugmentationReport, AugmentedClass, AugmentedGenerator, Gain, Spread
from worker.augmentation.selection import DESCRIPTION, Selection

DIGITS = 6
"""decimals of the report's shares"""
INTERVAL = (
    "95 %, by Student's t: of the classifiers' seeds and of the choice of the held-out pictures together. One "
    "generator drew the pictures: another training of it may give others."
)
Correct = NDArray[np.bool_]
"""[seeds, pictures]: whether a classifier is right about a held-out picture"""


@dataclass(frozen=True, slots=True)
class ClassPictures:
    """A class's name, number of real training pictures, and the result of the filter."""

    name: str
    training: int
    selection: Selection


def build(
    correct: Mapping[str, Correct],
    labels: NDArray[np.int64],
    classes: Sequence[ClassPictures],
    generator: AugmentedGenerator,
    **settings: Any,
) -> AugmentationReport:
    """Return the report.

    `correct` holds the results of each arm, all on held-out pictures of the classes `labels` [pictures]; `settings`
    are fields of the report that the request and the dataset decide.
    """
    gains = {arm: gain(correct["real"], other) for arm, other in correct.items() if arm != "real"}
    if "both" in correct:
        gains["both_over_classical"] = gain(correct["classical"], correct["both"])
    by_class = [_class(number, one, correct, labels == number) for number, one in enumerate(classes)]
    both = gains.get("both")
    return AugmentationReport(
        generator=generator,
        filter=DESCRIPTION,
        training=sum(one.training for one in classes),
        held_out=len(labels),
        accuracy={arm: spread(values.mean(axis=1)) for arm, values in correct.items()},
        gains=gains,
        interval=INTERVAL,
        useful=both is not None and both.low > 0,
        verdict=verdict(both, gains),
        warnings=[
            *augmentation_warnings.of_small_test(settings["classifier_steps"], len(labels)),
            *warnings(by_class, correct, labels, settings["per_class"]),
        ],
        classes=by_class,
        **settings,
    )


def spread(values: Sequence[float] | NDArray[np.float64]) -> Spread:
    """Return mean and sample deviation of at least two values."""
    listed_values = [float(value) for value in values]
    return Spread(
        mean=round(fmean(listed_values), DIGITS),
        deviation=round(stdev(listed_values), DIGITS),
        values=[round(value, DIGITS) for value in listed_values],
    )


def gain(base: Correct, other: Correct) -> Gain:
    """Return the gain in accuracy of `other` over `base`, whose rows have the same seeds and columns the same pictures.

    The variance of the mean gain is the sum of two: of its values over the seeds, and of its values over the pictures.
    The quantile is that of the seeds' degrees of freedom, which makes the interval wider than either alone.
    """
    difference = other.astype(np.float64) - base
    by_seed, by_picture = difference.mean(axis=1), difference.mean(axis=0)
    seeds, pictures = difference.shape
    variance = by_seed.var(ddof=1) / seeds + (by_picture.var(ddof=1) / pictures if pictures > 1 else 0.0)
    half_width = confidence.quantile(confidence.LEVEL, seeds - 1) * math.sqrt(float(variance))
    mean = float(difference.mean())
    return Gain(mean=round(mean, DIGITS), low=round(mean - half_width, DIGITS), high=round(mean + half_width, DIGITS))


def verdict(both: Gain | None, gains: Mapping[str, Gain]) -> str:
    """Say whether the generated pictures help. They do only if the interval of the gain lies above zero."""
    if both is None:
        return "No generated picture passed the filter: nothing can be added. Train the generator longer."
    measured = (
        f"{_points(both.mean)} points of accuracy on held-out pictures ({_points(both.low)} to {_points(both.high)})"
    )
    if both.low > 0:
        sentence = f"The generated pictures help: {measured}."
    elif both.high < 0:
        return f"The generated pictures harm: {measured}. Do not add them."
    else:
        sentence = f"No gain is shown: {measured}, and the interval includes zero."
    classical = gains["classical"]
    if classical.low > 0 and gains["both_over_classical"].low <= 0:
        sentence += (
            f" Moving, turning and scaling the real pictures gains {_points(classical.mean)} points, and generated "
            "ones are not shown to be better."
        )
    return sentence


def warnings(
    classes: Sequence[AugmentedClass], correct: Mapping[str, Correct], labels: NDArray[np.int64], per_class: int
) -> list[str]:
    """Return sentences on classes with few real pictures, with too few kept ones, and with a lower recall."""
    result = augmentation_warnings.of_rare_classes({one.name: one.training for one in classes})
    if short := [f"{one.name} ({one.kept})" for one in classes if one.kept < per_class]:
        result.append(
            f"Fewer pictures than requested ({per_class}) passed the filter: {augmentation_warnings.named(short)}."
        )
    if "both" in correct:
        fallen = [
            f"{one.name} ({_points(change.mean)} points)"
            for one in classes
            if one.held_out and (change := _recall_gain(correct, labels == one.number)).high < 0
        ]
        if fallen:
            result.append(f"Recall is lower with the generated pictures: {augmentation_warnings.named(fallen)}.")
    return result


def _recall_gain(correct: Mapping[str, Correct], of_class: NDArray[np.bool_]) -> Gain:
    return gain(correct["real"][:, of_class], correct["both"][:, of_class])


def _class(
    number: int, one: ClassPictures, correct: Mapping[str, Correct], of_class: NDArray[np.bool_]
) -> AugmentedClass:
    recall = {
        arm: spread(correct[arm][:, of_class].mean(axis=1))
        for arm in ("real", "both")
        if arm in correct and of_class.any()
    }
    counts = one.selection
    return AugmentedClass(
        number=number,
        name=one.name,
        training=one.training,
        held_out=int(of_class.sum()),
        generated=counts.generated,
        disagreed=counts.disagreed,
        near_training=counts.near_training,
        near_generated=counts.near_generated,
        kept=len(counts.kept),
        recall_before=recall.get("real"),
        recall_after=recall.get("both"),
    )


def _points(share: float) -> str:
    """Return a difference of shares in percentage points, with its sign."""
    return f"{100 * share:+.1f}"
