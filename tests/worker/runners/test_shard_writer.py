"""Shards: the pictures and labels in them, and that equal pictures give equal bytes."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Literal
from zipfile import ZipFile

import numpy as np
import pytest
from PIL import Image

from data import csv_text
from tests.support.deep_pictures import deep_noise, samples_of
from worker.runners.shard_writer import ShardExample, ShardWriter

NAMES = ("T-shirt/top", 'a "b", c')


def pictures(n: int, *, labelled: bool = True) -> Iterator[ShardExample]:
    for number in range(n):
        array = np.random.default_rng(number).integers(0, 256, (5, 4, 3), np.uint8)
        yield ShardExample(array, number % 2 if labelled else None, number // 2)


def written_shard(
    path: Path, format_: Literal["zip", "npz"], count: int, first: int = 0, *, labelled: bool = True
) -> bytes:
    ShardWriter(format_, "images", NAMES).write(path, pictures(9, labelled=labelled), first, count)
    return path.read_bytes()


def test_zip_shard_holds_pictures_and_a_table_of_labels(tmp_path: Path) -> None:
    data = written_shard(tmp_path / "shard", "zip", 3, 40)
    with ZipFile(io.BytesIO(data)) as archive:
        assert archive.namelist() == ["0000040_0.png", "0000041_1.png", "0000042_0.png", "labels.csv"]
        assert archive.read("labels.csv").decode().splitlines() == [
            "file,label,class,index",
            "0000040_0.png,0,T-shirt/top,0",
            '0000041_1.png,1,"a ""b"", c",0',
            "0000042_0.png,0,T-shirt/top,1",
        ]
        for example, name in zip(pictures(3), archive.namelist(), strict=False):
            assert np.array_equal(np.asarray(Image.open(archive.open(name))), example.array)


@pytest.mark.parametrize("format_", ["zip", "npz"])
def test_shard_keeps_pictures_of_16_bits(tmp_path: Path, format_: Literal["zip", "npz"]) -> None:
    arrays = [deep_noise(4, 5, 3, seed) for seed in range(3)]
    examples = (ShardExample(array, None, number) for number, array in enumerate(arrays))
    ShardWriter(format_, "images", ()).write(tmp_path / "shard", examples, 0, 3)
    if format_ == "npz":
        stored = np.load(tmp_path / "shard")["images"]
        assert stored.dtype == np.uint16
    else:
        with ZipFile(tmp_path / "shard") as archive:
            stored = np.stack([samples_of(archive.read(name)) for name in archive.namelist()])
    assert np.array_equal(stored, np.stack(arrays))


def test_class_names_are_escaped_against_formulas_and_can_be_restored(tmp_path: Path) -> None:
    names = ("=cmd|' /C calc'!A0", "'quoted'")
    ShardWriter("zip", "images", names).write(tmp_path / "shard", pictures(2), 0, 2)
    with ZipFile(tmp_path / "shard") as archive:
        rows = list(csv.DictReader(io.StringIO(archive.read("labels.csv").decode())))
    assert [row["class"] for row in rows] == ["'=cmd|' /C calc'!A0", "''quoted'"]
    assert tuple(csv_text.unescape(row["class"]) for row in rows) == names


def test_shard_without_labels_has_no_table(tmp_path: Path) -> None:
    with ZipFile(io.BytesIO(written_shard(tmp_path / "zip", "zip", 2, labelled=False))) as archive:
        assert archive.namelist() == ["0000000.png", "0000001.png"]
    assert list(np.load(io.BytesIO(written_shard(tmp_path / "npz", "npz", 2, labelled=False)))) == ["images"]


def test_npz_shard_is_read_by_numpy(tmp_path: Path) -> None:
    arrays = np.load(io.BytesIO(written_shard(tmp_path / "shard", "npz", 6)), allow_pickle=False)
    assert np.array_equal(arrays["images"], np.stack([example.array for example in pictures(6)]))
    assert arrays["labels"].tolist() == [0, 1, 0, 1, 0, 1]
    assert str(arrays["labels"].dtype) == "int64"


@pytest.mark.parametrize("format_", ["zip", "npz"])
def test_equal_pictures_give_equal_shards(tmp_path: Path, format_: Literal["zip", "npz"]) -> None:
    assert written_shard(tmp_path / "one", format_, 9) == written_shard(tmp_path / "other", format_, 9)


def test_shard_takes_no_more_examples_than_its_count(tmp_path: Path) -> None:
    examples = pictures(9)
    for first in (0, 4):
        ShardWriter("npz", "images", NAMES).write(tmp_path / "shard", examples, first, 4)
    assert next(examples).index == 4, "the ninth example is still unread"
