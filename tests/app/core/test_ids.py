import uuid
from concurrent.futures import ThreadPoolExecutor

from app.core.ids import is_id, new_id, uuid7_hex


def test_an_id_is_a_uuid7_behind_its_prefix() -> None:
    prefix, rest = new_id("job").split("_")
    made = uuid.UUID(hex=rest)
    assert (prefix, made.version, made.variant) == ("job", 7, uuid.RFC_4122)


def test_ids_sort_by_birth() -> None:
    made = [uuid7_hex() for _ in range(20_000)]
    assert made == sorted(made)


def test_ids_are_unique_across_threads() -> None:
    with ThreadPoolExecutor(8) as pool:
        made = [hex_ for many in pool.map(lambda _: [uuid7_hex() for _ in range(2_000)], range(8)) for hex_ in many]
    assert len(set(made)) == len(made)


def test_an_id_is_known_by_its_spelling() -> None:
    assert is_id("job", new_id("job"))
    assert not any(is_id("job", text) for text in ("", "job_", new_id("ckpt"), new_id("job") + "\n", "job_" + "G" * 32))
