"""Warn of classes with few real pictures, before an augmentation and in its report."""

from collections.abc import Mapping, Sequence

from models.spec.wording import listed

FEW_PICTURES = 50
"""real pictures of a class below which augmentation has widened bias (arXiv 2603.16134)"""
MAX_NAMED = 10
"""classes that one sentence names"""


def warning(pictures: Mapping[str, int]) -> str | None:
    """Return a sentence on the classes of few real training pictures, whose numbers are given by name; None if none."""
    few = [name for name, n in pictures.items() if n < FEW_PICTURES]
    if not few:
        return None
    return (
        f"Fewer than {FEW_PICTURES} real training pictures: {named(few)}. Augmentation of such rare classes has "
        "widened bias (arXiv 2603.16134): compare the recall of each class before and after."
    )


def named(names: Sequence[str]) -> str:
    """Return the names in words, the first MAX_NAMED of many."""
    rest = len(names) - MAX_NAMED
    return listed(names[:MAX_NAMED]) if rest <= 0 else f"{', '.join(names[:MAX_NAMED])} and {rest} more"
