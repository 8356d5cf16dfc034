"""The garbage collector pauses while a module is imported, and what the import created is frozen."""

import gc

import pytest

from app.core.gc_freeze import import_without_gc

MISSING_MODULE = "nothing_of_this_name"


def test_garbage_collector_is_enabled_again_after_the_block() -> None:
    with import_without_gc(MISSING_MODULE):
        assert not gc.isenabled()
    assert gc.isenabled()


def test_garbage_collector_is_enabled_again_when_the_import_fails() -> None:
    with pytest.raises(ModuleNotFoundError), import_without_gc(MISSING_MODULE):
        import nothing_of_this_name  # type: ignore[import-not-found]  # noqa: F401
    assert gc.isenabled()


def test_objects_created_in_the_block_are_frozen() -> None:
    with import_without_gc(MISSING_MODULE):
        created: list[object] = [[] for _ in range(1000)]
    assert gc.get_freeze_count() >= len(created)
    assert not any(tracked is created for tracked in gc.get_objects())


def test_import_of_a_loaded_module_neither_pauses_nor_freezes() -> None:
    before = gc.get_freeze_count()
    with import_without_gc("gc"):
        assert gc.isenabled()
    assert gc.get_freeze_count() == before
