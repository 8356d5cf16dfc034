"""Large imports in two thirds of the time."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """Nothing that is made in the block is looked through by the garbage collector, then or later.

    An import makes hundreds of thousands of objects that stay; the collector would go through them again and again,
    and find nothing.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
