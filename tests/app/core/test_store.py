"""The store of artifacts: files named by the sha256 of their content."""

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event, Thread

import pytest

from app.core.errors import Conflict
from app.core.store import Store, sha256_of


def store_old(store: Store, data: bytes) -> str:
    sha256 = store.put_bytes(data)
    os.utime(store.path(sha256), (0, 0))
    return sha256


def flip_bit(path: Path) -> None:
    """Flip one bit; size and modification time stay."""
    before, data = path.stat(), bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_bytes_and_file_of_equal_content_are_stored_once(tmp_path: Path) -> None:
    store, source = Store(tmp_path / "store"), tmp_path / "source"
    source.write_bytes(b"seven")
    assert store.put_bytes(b"seven") == store.put_file(source) == hashlib.sha256(b"seven").hexdigest()
    assert [path for path in (tmp_path / "store").rglob("*") if path.is_file()] == [store.path(sha256_of(source))]


def test_concurrent_writers_of_equal_content_store_one_complete_file(tmp_path: Path) -> None:
    store, data = Store(tmp_path), b"x" * 1_000_000
    with ThreadPoolExecutor(8) as pool:
        digests = set(pool.map(store.put_bytes, [data] * 16))
    assert [path.read_bytes() == data for path in tmp_path.rglob("*") if path.is_file()] == [True]
    assert len(digests) == 1


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "A" * 64, "0" * 63, "0" * 64 + "\n"])
def test_only_a_sha256_becomes_a_path(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="64 lower-case hex digits"):
        Store(tmp_path).path(name)


def test_sweep_deletes_old_unreferenced_files(tmp_path: Path) -> None:
    store = Store(tmp_path)
    referenced, unreferenced, young = (
        store_old(store, b"named"),
        store_old(store, b"unnamed"),
        store.put_bytes(b"young"),
    )
    partial = store.path(unreferenced).with_name(".incoming-x")
    partial.write_bytes(b"half")
    os.utime(partial, (0, 0))
    assert store.delete_unreferenced(lambda _: {referenced}, older_than_s=60) == [unreferenced]
    assert {path.name for path in tmp_path.rglob("*") if path.is_file()} == {referenced, young}


def test_storing_a_file_again_makes_it_young(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store_old(store, b"seven")
    store.put_bytes(b"seven")
    assert store.delete_unreferenced(lambda _: (), older_than_s=60) == []


def test_file_stored_while_a_sweep_looks_up_references_stays(tmp_path: Path) -> None:
    store = Store(tmp_path)
    sha256 = store_old(store, b"seven")

    def find_referenced(_: object) -> set[str]:
        store.put_bytes(b"seven")  # another process, whose row is not there yet
        return set()

    assert store.delete_unreferenced(find_referenced, older_than_s=60) == []
    assert store.path(sha256).read_bytes() == b"seven"


def test_writes_that_race_with_sweeps_lose_no_file(tmp_path: Path) -> None:
    store, done = Store(tmp_path), Event()
    deleted: list[str] = []

    def sweep_repeatedly() -> None:
        while not done.is_set():
            deleted.extend(store.delete_unreferenced(lambda _: (), older_than_s=60))

    sweeper = Thread(target=sweep_repeatedly)
    sweeper.start()
    for _ in range(2000):
        path = store.path(store.put_bytes(b"seven"))
        assert path.read_bytes() == b"seven"
        os.utime(path, (0, 0))
    done.set()
    sweeper.join()
    assert deleted, "no sweep ran between the writes"


def test_damaged_file_is_detected_and_repaired_by_storing_it_again(tmp_path: Path) -> None:
    store = Store(tmp_path)
    sha256 = store.put_bytes(b"weights")
    flip_bit(store.path(sha256))
    assert store.defect(sha256) == "damaged"
    assert store.put_bytes(b"weights") == sha256
    assert (store.defect(sha256), store.path(sha256).read_bytes()) == (None, b"weights")
    flip_bit(store.path(sha256))
    with pytest.raises(Conflict, match=r"The file of export\.safetensors is damaged"):
        store.verified_path(sha256, "export.safetensors")
    store.path(sha256).unlink()
    assert store.defect(sha256) == "missing"
