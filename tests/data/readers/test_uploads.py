"""Uploaded datasets become tensors by exactly the transform that their report describes, cached or not."""

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
from data.decode import DecodingRules
from data.levels import Pixels
from data.prepare import Preparation, describe
from data.readers.builtin import DatasetMissing
from data.readers.uploads import NoDiskSpace, Upload, load_upload
from models.spec.data import Images, Paired, Unpaired
from tests.support.zips import noise, saved, zipped
from worker.runners.inputs import SandboxedReader

WIDE, TALL = noise(50, 31, 1), noise(20, 47, 2)


def write_upload(
    tmp_path: Path, members: dict[str, bytes], index: ArchiveIndex, heartbeats: list[int] | None = None
) -> Upload:
    """Write the archive and its index; each heartbeat of the reader appends to `heartbeats`."""
    (tmp_path / "archive").write_bytes(zipped(members))
    (tmp_path / "index").write_bytes(index.to_bytes())
    received = [] if heartbeats is None else heartbeats
    return Upload(
        tmp_path / "archive", tmp_path / "index", tmp_path / "prepared", lambda: received.append(1), decode_in_sandbox
    )


def decode_in_sandbox(archive: Path, *arguments: Any) -> Pixels:
    with closing(Sandbox(1, readable=(archive,))) as sandbox:
        return SandboxedReader(sandbox)(archive, *arguments)


def index_of(*names: str, labels: tuple[int, ...] | None = None) -> ArchiveIndex:
    return ArchiveIndex(SplitMembers((names,), labels))


def square_resized(image: Image.Image, x: int, y: int, edge: int, side: int, mode: str) -> NDArray[np.uint8]:
    """Return the square at x, y as [channels, side, side]: cropped by numpy, converted and resized by Pillow."""
    square = np.asarray(image.convert("RGB"))[y : y + edge, x : x + edge]
    resized = np.asarray(Image.fromarray(square).convert(mode).resize((side, side), Image.Resampling.BICUBIC))
    return resized.reshape(side, side, -1).transpose(2, 0, 1)


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB")])
def test_tensor_is_the_central_square_resized(tmp_path: Path, channels: int, mode: str) -> None:
    upload = write_upload(
        tmp_path, {"wide.png": saved(WIDE), "tall.bmp": saved(TALL, "BMP")}, index_of("wide.png", "tall.bmp")
    )
    images = load_upload(Images(dataset="x", side=16, channels=channels), upload).images
    assert images is not None
    assert images.dtype == torch.uint8
    assert np.array_equal(images[0], square_resized(WIDE, 9, 0, 31, 16, mode))
    assert np.array_equal(images[1], square_resized(TALL, 0, 13, 20, 16, mode))


def test_alpha_blends_over_white_16_bit_keeps_the_upper_8_and_exif_turns(tmp_path: Path) -> None:
    translucent = noise(16, 16, 3)
    translucent.putalpha(Image.fromarray(np.full((16, 16), 51, np.uint8)))
    sixteen_bit = np.random.default_rng(4).integers(0, 65536, (16, 16), np.uint16)
    exif = Image.Exif()
    exif[0x0112] = 3
    members = {
        "clear.png": saved(translucent),
        "deep.png": saved(Image.fromarray(sixteen_bit)),
        "turned.png": saved(noise(16, 16, 5), exif=exif),
    }
    images = load_upload(
        Images(dataset="x", side=16, channels=3), write_upload(tmp_path, members, index_of(*members))
    ).images
    assert images is not None
    over_white = np.asarray(translucent.convert("RGB")) * 0.2 + 255 * 0.8
    assert np.abs(images[0].permute(1, 2, 0).numpy() - over_white).max() <= 1
    assert np.array_equal(images[1], np.repeat((sixteen_bit >> 8).astype(np.uint8)[None], 3, 0))
    assert np.array_equal(images[2].permute(1, 2, 0), np.asarray(noise(16, 16, 5))[::-1, ::-1])


def test_description_lists_the_steps_of_the_preparation() -> None:
    grey, halved = describe(Preparation(16, 1)), describe(Preparation(64, 3), halved=True)
    assert "0.299 R" in grey["steps"][5]
    assert grey["steps"][-1] == "resize to 16 x 16 with Pillow's bicubic filter"
    assert "left half" in halved["steps"][3]


def test_labels_come_from_the_index_if_the_spec_has_classes(tmp_path: Path) -> None:
    upload = write_upload(
        tmp_path, {"a.png": saved(WIDE), "b.png": saved(TALL)}, index_of("a.png", "b.png", labels=(1, 0))
    )
    labels = load_upload(Images(dataset="x", side=8, channels=1, classes=2), upload).labels
    assert labels is not None
    assert labels.tolist() == [1, 0]
    assert labels.dtype == torch.int64
    assert load_upload(Images(dataset="x", side=8, channels=1), upload).labels is None


def test_pile_a_and_pile_b_are_loaded_separately(tmp_path: Path) -> None:
    upload = write_upload(
        tmp_path,
        {"A/1.png": saved(WIDE), "B/1.png": saved(TALL)},
        ArchiveIndex(SplitMembers((("A/1.png",), ("B/1.png",)))),
    )
    for spec in (Unpaired(dataset="x", side=8, channels=3), Paired(dataset="x", side=8, channels=3)):
        loaded = load_upload(spec, upload)
        assert loaded.a is not None
        assert loaded.b is not None
        assert np.array_equal(loaded.a[0], square_resized(WIDE, 9, 0, 31, 8, "RGB"))
        assert np.array_equal(loaded.b[0], square_resized(TALL, 0, 13, 20, 8, "RGB"))


def test_side_by_side_pictures_are_split_into_pairs(tmp_path: Path) -> None:
    upload = write_upload(
        tmp_path, {"1.png": saved(noise(41, 20, 6))}, ArchiveIndex(SplitMembers((("1.png",),)), halved=True)
    )
    loaded = load_upload(Paired(dataset="x", side=8, channels=3), upload)
    assert loaded.a is not None
    assert loaded.b is not None
    assert np.array_equal(loaded.a[0], square_resized(noise(41, 20, 6), 0, 0, 20, 8, "RGB"))
    assert np.array_equal(loaded.b[0], square_resized(noise(41, 20, 6), 21, 0, 20, 8, "RGB"))


def test_prepared_pictures_are_reused_without_the_archive(tmp_path: Path) -> None:
    heartbeats: list[int] = []
    upload = write_upload(
        tmp_path, {"a.png": saved(WIDE), "b.png": saved(TALL)}, index_of("a.png", "b.png"), heartbeats
    )
    spec = Images(dataset="x", side=8, channels=3)
    first = load_upload(spec, upload).images
    assert first is not None
    assert len(heartbeats) == 1
    prepared_files = list(upload.prepared.iterdir())
    upload.archive.write_bytes(b"")
    reloaded = load_upload(spec, upload).images
    assert reloaded is not None
    assert torch.equal(first, reloaded)
    assert len(heartbeats) == 1
    assert list(upload.prepared.iterdir()) == prepared_files
    with pytest.raises(DatasetMissing):
        load_upload(Images(dataset="x", side=16, channels=3), upload)


@pytest.mark.parametrize("damage", ["archive", "index", "member", "picture"])
def test_missing_or_damaged_files_are_refused_with_a_sentence(tmp_path: Path, damage: str) -> None:
    upload = write_upload(tmp_path, {"a.png": saved(WIDE)}, index_of("a.png" if damage != "member" else "b.png"))
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
def file_size_limited(size: int) -> Iterator[None]:
    """Limit the size of files, as a disk does that is nearly full."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.mark.parametrize("free_bytes", [10_000, 64])
def test_full_disk_is_reported_before_any_picture_is_read(tmp_path: Path, free_bytes: int) -> None:
    heartbeats: list[int] = []
    upload = write_upload(
        tmp_path, {"a.png": saved(WIDE), "b.png": saved(TALL)}, index_of("a.png", "b.png"), heartbeats
    )
    spec = Images(dataset="x", side=64, channels=3)
    with file_size_limited(free_bytes), pytest.raises(NoDiskSpace, match=r"need 24576 bytes and .* smaller data\.side"):
        load_upload(spec, upload)
    assert (heartbeats, list(upload.prepared.iterdir())) == ([], [])
    assert load_upload(spec, upload).images is not None
    (file,) = upload.prepared.iterdir()
    assert file.stat().st_size == 24576 + 128, "numpy's header and the pictures"


def test_equal_pictures_in_differently_packed_archives_give_equal_tensors(tmp_path: Path) -> None:
    (tmp_path / "1").mkdir()
    (tmp_path / "2").mkdir()
    members = {"a.jpg": saved(WIDE, "JPEG"), "b.webp": saved(TALL, "WEBP")}
    packed = write_upload(tmp_path / "1", members, index_of(*members))
    stored = write_upload(tmp_path / "2", {}, index_of(*members))
    stored.archive.write_bytes(zipped(dict(reversed(members.items())), zipfile.ZIP_STORED))
    spec = Images(dataset="x", side=16, channels=3)
    first, second = load_upload(spec, packed).images, load_upload(spec, stored).images
    assert first is not None
    assert second is not None
    assert torch.equal(first, second)


def test_archive_index_round_trips_through_bytes() -> None:
    held_out = SplitMembers((("d",), ("e",)), tiles=((2,), (1,)))
    for index in (
        index_of("a", "é", labels=(0, 1)),
        ArchiveIndex(SplitMembers((("a",), ("b", "c")))),
        ArchiveIndex(SplitMembers((("a",),)), halved=True),
        ArchiveIndex(SplitMembers((("a",), ("b",))), held_out, False, "tiles", ("b",), DecodingRules(depth=12)),
    ):
        assert ArchiveIndex.from_bytes(index.to_bytes()) == index
