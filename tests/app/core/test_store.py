import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event, Thread

import pytest

from app.core.errors import Conflict
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


def aged(store: Store, data: bytes) -> str:
    sha256 = store.put_bytes(data)
    os.utime(store.path(sha256), (0, 0))
    return sha256


def test_a_sweep_takes_what_is_old_and_unnamed(tmp_path: Path) -> None:
    store = Store(tmp_path)
    named, unnamed, young = aged(store, b"named"), aged(store, b"unnamed"), store.put_bytes(b"young")
    half = store.path(unnamed).with_name(".incoming-x")
    half.write_bytes(b"half")
    os.utime(half, (0, 0))
    assert store.delete_unreferenced(lambda _: {named}, older_than_s=60) == [unnamed]
    assert {path.name for path in tmp_path.rglob("*") if path.is_file()} == {named, young}


def test_what_is_put_again_is_young_again(tmp_path: Path) -> None:
    store = Store(tmp_path)
    aged(store, b"seven")
    store.put_bytes(b"seven")
    assert store.delete_unreferenced(lambda _: (), older_than_s=60) == []


def test_a_file_put_while_the_sweep_asks_who_names_it_stays(tmp_path: Path) -> None:
    store = Store(tmp_path)
    sha256 = aged(store, b"seven")

    def named(_: object) -> set[str]:
        store.put_bytes(b"seven")  # another process, whose row is not there yet
        return set()

    assert store.delete_unreferenced(named, older_than_s=60) == []
    assert store.path(sha256).read_bytes() == b"seven"


def test_puts_that_race_with_sweeps_never_lose_a_file(tmp_path: Path) -> None:
    store, done = Store(tmp_path), Event()
    removed: list[str] = []

    def sweeping() -> None:
        while not done.is_set():
            removed.extend(store.delete_unreferenced(lambda _: (), older_than_s=60))

    sweeper = Thread(target=sweeping)
    sweeper.start()
    for _ in range(2000):
        path = store.path(store.put_bytes(b"seven"))
        assert path.read_bytes() == b"seven"
        os.utime(path, (0, 0))
    done.set()
    sweeper.join()
    assert removed, "the sweep had its turns"


def flip(path: Path) -> None:
    """One bit, with size and time of the last write as before."""
    before, data = path.stat(), bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_damage_is_seen_before_and_after_a_first_look_and_mended_by_putting_again(tmp_path: Path) -> None:
    store = Store(tmp_path)
    sha256 = store.put_bytes(b"weights")
    flip(store.path(sha256))
    assert store.defect(sha256) == "damaged"
    assert store.put_bytes(b"weights") == sha256
    assert (store.defect(sha256), store.path(sha256).read_bytes()) == (None, b"weights")
    flip(store.path(sha256))
    with pytest.raises(Conflict, match=r"The file of export\.safetensors is damaged"):
        store.verified_path(sha256, "export.safetensors")
    store.path(sha256).unlink()
    assert store.defect(sha256) == "missing"
