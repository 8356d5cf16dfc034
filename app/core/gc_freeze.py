"""Import large packages with the garbage collector off, then leave them out of its searches."""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected(module: str) -> Iterator[None]:
    """What there is at the end of the block is never looked through by the garbage collector, then or later.

    Importing `module` in the block makes hundreds of thousands of objects that stay. The collector would go through
    them again and again and find nothing: in a busy API once a second, for 180 ms, in which no request is answered.
    Where the module is imported already nothing is done.
    """
    if module in sys.modules:
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
