"""Long lists for IN: a statement takes some ten thousand parameters at most."""

from collections.abc import Collection, Iterator, Sequence

PART = 5_000


def in_parts(items: Collection[str]) -> Iterator[Sequence[str]]:
    whole = list(items)
    for start in range(0, len(whole), PART):
        yield whole[start : start + PART]
