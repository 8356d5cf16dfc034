"""Warn of a test that is too small and of rare classes, before an augmentation and in its report."""

from collections.abc import Mapping, Sequence

from models.spec.wording import listed

FEW_STEPS = 100
"""steps of a classifier below which it has not learned enough for its accuracy to mean something"""
FEW_HELD_OUT = 30
"""held-out pictures below which one more or less that is right moves the accuracy by more than three points"""
FEW_PICTURES = 50
"""real pictures of a class below which augmentation has widened bias (arXiv 2603.16134)"""
MAX_NAMED = 10
"""classes that one sentence names"""


def of_small_test(classifier_steps: int, held_out: int | None = None) -> list[str]:
    """Return a sentence if classifiers are trained too short, and one if too few pictures are held out.

    `held_out` is None if it is not known.
    """
    result = []
    if classifier_steps < FEW_STEPS:
        result.append(
            f"Classifiers are too weak after {classifier_steps} steps to conclude anything: train them for "
            f"{FEW_STEPS} steps or more."
        )
    if held_out is not None and held_out < FEW_HELD_OUT:
        pictures = "1 picture is" if held_out == 1 else f"{held_out} pictures are"
        result.append(
            f"Only {pictures} held out, too few to conclude anything: upload {FEW_HELD_OUT} or more to test with."
        )
    return result


def of_rare_classes(pictures: Mapping[str, int]) -> list[str]:
    """Return a sentence if there are classes of few real training pictures, whose numbers are given by name."""
    few = [name for name, n in pictures.items() if n < FEW_PICTURES]
    if not few:
        return []
    return [
        f"Fewer than {FEW_PICTURES} real training pictures: {named(few)}. Augmentation of such rare classes has "
        "widened bias (arXiv 2603.16134): compare the recall of each class before and after."
    ]


def named(names: Sequence[str]) -> str:
    """Return the names in words, the first MAX_NAMED of many."""
    rest = len(names) - MAX_NAMED
    return listed(names[:MAX_NAMED]) if rest <= 0 else f"{', '.join(names[:MAX_NAMED])} and {rest} more"
