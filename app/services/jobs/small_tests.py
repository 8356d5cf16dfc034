"""Warn of augmentations whose test is too small to conclude from, beforehand and in their reports."""

FEW_STEPS = 100
"""steps of a classifier below which it has not learned enough for its accuracy to mean something"""
FEW_HELD_OUT = 30
"""held-out pictures below which one more or less that is right moves the accuracy by more than three points"""


def warnings(classifier_steps: int, held_out: int | None = None) -> list[str]:
    """Return a sentence if classifiers are trained too short, and one if too few pictures are held out.

    `held_out` is None if it is not known.
    """
    result = []
    if classifier_steps < FEW_STEPS:
        result.append(
            f"Classifiers of {classifier_steps} steps are trained too short to conclude anything: train them for "
            f"{FEW_STEPS} steps or more."
        )
    if held_out is not None and held_out < FEW_HELD_OUT:
        pictures = "1 picture is" if held_out == 1 else f"{held_out} pictures are"
        result.append(
            f"Only {pictures} held out, too few to conclude anything: upload {FEW_HELD_OUT} or more to test with."
        )
    return result
