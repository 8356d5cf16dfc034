import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from app.core.store import Store, sha256_of


def test_bytes_and_files_of_equal_content_are_one_artifact(tmp_path: Path) -> None:
    store, source = Store(tmp_path / "store"), tmp_path / "source"
    source.write_bytes(b"seven")
    assert store.put_bytes(b"seven") == store.put_file(source) == hashlib.sha256(b"seven").hexdigest()
    assert [path for path in (tmp_path / "store").rglob("*") if path.is_file()] == [store.path(sha256_of(source))]


def test_many_writers_of_one_content_leave_one_whole_file(tmp_path: Path) -> None:
    store, data = Store(tmp_path), b"x" * 1_000_000
    with ThreadPoolExecutor(8) as pool:
        names = set(pool.map(store.put_bytes, [data] * 16))
    assert [path.read_bytes() == data for path in tmp_path.rglob("*") if path.is_file()] == [True]
    assert len(names) == 1


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "A" * 64, "0" * 63, "0" * 64 + "\n"])
def test_only_a_sha256_becomes_a_path(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="64 lower-case hex digits"):
        Store(tmp_path).path(name)
