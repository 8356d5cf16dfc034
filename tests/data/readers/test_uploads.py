"""Uploaded datasets as training reads them: exactly the transform that the report promises, cached or not."""

import resource
import zipfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from app.core.sandbox.parent import Sandbox
from data.archive import ArchiveIndex, SplitMembers
from data.decode import Reading
from data.prepare import Pixels, Preparation, describe
from data.readers.builtin import DatasetMissing
from data.readers.uploads import NoDiskSpace, Upload, load_upload
from models.spec.data import Images, Paired, Unpaired
from tests.support.zips import noise, saved, zipped
from worker.runners.inputs import Reader

WIDE, TALL = noise(50, 31, 1), noise(20, 47, 2)


def given(tmp_path: Path, members: dict[str, bytes], index: ArchiveIndex, beats: list[int] | None = None) -> Upload:
    (tmp_path / "archive").write_bytes(zipped(members))
    (tmp_path / "index").write_bytes(index.to_bytes())
    counted = [] if beats is None else beats
    return Upload(tmp_path / "archive", tmp_path / "index", tmp_path / "prepared", lambda: counted.append(1), in_child)


def in_child(archive: Path, *asked: Any) -> Pixels:
    with closing(Sandbox(1, readable=(archive,))) as sandbox:
        return Reader(sandbox)(archive, *asked)


def of(*names: str, labels: tuple[int, ...] | None = None) -> ArchiveIndex:
    return ArchiveIndex(SplitMembers((names,), labels))


def by_hand(image: Image.Image, left: int, top: int, short: int, side: int, mode: str) -> NDArray[np.uint8]:
    """Crop by numpy, colour and size by Pillow, channels first."""
    square = np.asarray(image.convert("RGB"))[top : top + short, left : left + short]
    small = np.asarray(Image.fromarray(square).convert(mode).resize((side, side), Image.Resampling.BICUBIC))
    return small.reshape(side, side, -1).transpose(2, 0, 1)


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB")])
def test_the_tensor_is_the_centred_square_resized(tmp_path: Path, channels: int, mode: str) -> None:
    upload = given(tmp_path, {"wide.png": saved(WIDE), "tall.bmp": saved(TALL, "BMP")}, of("wide.png", "tall.bmp"))
    images = load_upload(Images(dataset="x", side=16, channels=channels), upload).images
    assert images is not None
    assert images.dtype == torch.uint8
    assert np.array_equal(images[0], by_hand(WIDE, 9, 0, 31, 16, mode))
    assert np.array_equal(images[1], by_hand(TALL, 0, 13, 20, 16, mode))


def test_transparency_lies_over_white_and_the_upper_bits_of_sixteen_are_kept(tmp_path: Path) -> None:
    clear = noise(16, 16, 3)
    clear.putalpha(Image.fromarray(np.full((16, 16), 51, np.uint8)))
    deep = np.random.default_rng(4).integers(0, 65536, (16, 16), np.uint16)
    exif = Image.Exif()
    exif[0x0112] = 3
    members = {
        "clear.png": saved(clear),
        "deep.png": saved(Image.fromarray(deep)),
        "turned.png": saved(noise(16, 16, 5), exif=exif),
    }
    images = load_upload(Images(dataset="x", side=16, channels=3), given(tmp_path, members, of(*members))).images
    assert images is not None
    over_white = np.asarray(clear.convert("RGB")) * 0.2 + 255 * 0.8
    assert np.abs(images[0].permute(1, 2, 0).numpy() - over_white).max() <= 1
    assert np.array_equal(images[1], np.repeat((deep >> 8).astype(np.uint8)[None], 3, 0))
    assert np.array_equal(images[2].permute(1, 2, 0), np.asarray(noise(16, 16, 5))[::-1, ::-1])


def test_the_words_say_what_was_done() -> None:
    grey, halved = describe(Preparation(16, 1)), describe(Preparation(64, 3), halved=True)
    assert "0.299 R" in grey["steps"][5]
    assert grey["steps"][-1] == "resize to 16 x 16 with Pillow's bicubic filter"
    assert "left half" in halved["steps"][3]


def test_labels_come_from_the_index_where_they_are_asked_for(tmp_path: Path) -> None:
    upload = given(tmp_path, {"a.png": saved(WIDE), "b.png": saved(TALL)}, of("a.png", "b.png", labels=(1, 0)))
    labels = load_upload(Images(dataset="x", side=8, channels=1, classes=2), upload).labels
    assert labels is not None
    assert labels.tolist() == [1, 0]
    assert labels.dtype == torch.int64
    assert load_upload(Images(dataset="x", side=8, channels=1), upload).labels is None


def test_piles_are_kept_apart(tmp_path: Path) -> None:
    upload = given(
        tmp_path,
        {"A/1.png": saved(WIDE), "B/1.png": saved(TALL)},
        ArchiveIndex(SplitMembers((("A/1.png",), ("B/1.png",)))),
    )
    for spec in (Unpaired(dataset="x", side=8, channels=3), Paired(dataset="x", side=8, channels=3)):
        loaded = load_upload(spec, upload)
        assert loaded.a is not None
        assert loaded.b is not None
        assert np.array_equal(loaded.a[0], by_hand(WIDE, 9, 0, 31, 8, "RGB"))
        assert np.array_equal(loaded.b[0], by_hand(TALL, 0, 13, 20, 8, "RGB"))


def test_pictures_side_by_side_are_split(tmp_path: Path) -> None:
    upload = given(tmp_path, {"1.png": saved(noise(41, 20, 6))}, ArchiveIndex(SplitMembers((("1.png",),)), halved=True))
    loaded = load_upload(Paired(dataset="x", side=8, channels=3), upload)
    assert loaded.a is not None
    assert loaded.b is not None
    assert np.array_equal(loaded.a[0], by_hand(noise(41, 20, 6), 0, 0, 20, 8, "RGB"))
    assert np.array_equal(loaded.b[0], by_hand(noise(41, 20, 6), 21, 0, 20, 8, "RGB"))


def test_what_is_prepared_once_is_read_again(tmp_path: Path) -> None:
    beats: list[int] = []
    upload = given(tmp_path, {"a.png": saved(WIDE), "b.png": saved(TALL)}, of("a.png", "b.png"), beats)
    spec = Images(dataset="x", side=8, channels=3)
    first = load_upload(spec, upload).images
    assert first is not None
    assert len(beats) == 1
    kept = list(upload.prepared.iterdir())
    upload.archive.write_bytes(b"")
    again = load_upload(spec, upload).images
    assert again is not None
    assert torch.equal(first, again)
    assert len(beats) == 1
    assert list(upload.prepared.iterdir()) == kept
    with pytest.raises(DatasetMissing):
        load_upload(Images(dataset="x", side=16, channels=3), upload)


@pytest.mark.parametrize("damage", ["archive", "index", "member", "picture"])
def test_what_is_missing_or_damaged_is_told_in_a_sentence(tmp_path: Path, damage: str) -> None:
    upload = given(tmp_path, {"a.png": saved(WIDE)}, of("a.png" if damage != "member" else "b.png"))
    if damage in ("archive", "index"):
        getattr(upload, damage).unlink()
    if damage == "picture":
        data = bytearray(upload.archive.read_bytes())
        data[len(data) // 2] ^= 255
        upload.archive.write_bytes(data)
    with pytest.raises(DatasetMissing, match="files of 'x' are missing or damaged"):
        load_upload(Images(dataset="x", side=8, channels=3), upload)
    assert not upload.prepared.exists() or list(upload.prepared.iterdir()) == []


@contextmanager
def files_at_most(size: int) -> Iterator[None]:
    """Stands in for a disk that is nearly full."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.mark.parametrize("room", [10_000, 64])
def test_a_disk_without_room_is_told_before_a_picture_is_read(tmp_path: Path, room: int) -> None:
    beats: list[int] = []
    upload = given(tmp_path, {"a.png": saved(WIDE), "b.png": saved(TALL)}, of("a.png", "b.png"), beats)
    spec = Images(dataset="x", side=64, channels=3)
    with files_at_most(room), pytest.raises(NoDiskSpace, match=r"need 24576 bytes and .* smaller data\.side"):
        load_upload(spec, upload)
    assert (beats, list(upload.prepared.iterdir())) == ([], [])
    assert load_upload(spec, upload).images is not None
    (file,) = upload.prepared.iterdir()
    assert file.stat().st_size == 24576 + 128, "numpy's header and the pictures"


def test_equal_archives_packed_otherwise_give_equal_tensors(tmp_path: Path) -> None:
    (tmp_path / "1").mkdir()
    (tmp_path / "2").mkdir()
    members = {"a.jpg": saved(WIDE, "JPEG"), "b.webp": saved(TALL, "WEBP")}
    packed = given(tmp_path / "1", members, of(*members))
    stored = given(tmp_path / "2", {}, of(*members))
    stored.archive.write_bytes(zipped(dict(reversed(members.items())), zipfile.ZIP_STORED))
    spec = Images(dataset="x", side=16, channels=3)
    first, second = load_upload(spec, packed).images, load_upload(spec, stored).images
    assert first is not None
    assert second is not None
    assert torch.equal(first, second)


def test_an_index_survives_its_bytes() -> None:
    held = SplitMembers((("d",), ("e",)), tiles=((2,), (1,)))
    for index in (
        of("a", "é", labels=(0, 1)),
        ArchiveIndex(SplitMembers((("a",), ("b", "c")))),
        ArchiveIndex(SplitMembers((("a",),)), halved=True),
        ArchiveIndex(SplitMembers((("a",), ("b",))), held, False, "tiles", ("b",), Reading(bits=12)),
    ):
        assert ArchiveIndex.from_bytes(index.to_bytes()) == index
