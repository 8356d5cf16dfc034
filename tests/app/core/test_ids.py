"""Ids: a prefix and a UUID of version 7."""

import uuid
from concurrent.futures import ThreadPoolExecutor

from app.core.ids import is_id, new_id, uuid7_hex


def test_id_is_a_prefix_and_a_uuid7() -> None:
    prefix, rest = new_id("job").split("_")
    parsed = uuid.UUID(hex=rest)
    assert (prefix, parsed.version, parsed.variant) == ("job", 7, uuid.RFC_4122)


def test_ids_sort_by_creation() -> None:
    created = [uuid7_hex() for _ in range(20_000)]
    assert created == sorted(created)


def test_ids_are_unique_across_threads() -> None:
    with ThreadPoolExecutor(8) as pool:
        created = [hex_ for many in pool.map(lambda _: [uuid7_hex() for _ in range(2_000)], range(8)) for hex_ in many]
    assert len(set(created)) == len(created)


def test_is_id_accepts_only_the_exact_format() -> None:
    assert is_id("job", new_id("job"))
    assert not any(is_id("job", text) for text in ("", "job_", new_id("ckpt"), new_id("job") + "\n", "job_" + "G" * 32))
