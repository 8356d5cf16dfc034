"""The garbage collector pauses for an import, and for nothing longer."""

import gc

import pytest

from app.core.gc_freeze import import_without_gc

NEW = "nothing_of_this_name"


def test_it_is_on_again_behind_the_block() -> None:
    with import_without_gc(NEW):
        assert not gc.isenabled()
    assert gc.isenabled()


def test_it_is_on_again_when_the_import_fails() -> None:
    with pytest.raises(ModuleNotFoundError), import_without_gc(NEW):
        import nothing_of_this_name  # type: ignore[import-not-found]  # noqa: F401
    assert gc.isenabled()


def test_what_was_made_in_it_is_not_looked_through_again() -> None:
    with import_without_gc(NEW):
        made: list[object] = [[] for _ in range(1000)]
    assert gc.get_freeze_count() >= len(made)
    assert not any(known is made for known in gc.get_objects())


def test_a_second_import_leaves_it_alone() -> None:
    before = gc.get_freeze_count()
    with import_without_gc("gc"):
        assert gc.isenabled()
    assert gc.get_freeze_count() == before
