"""Files of many pictures: what is in them, and that equal pictures give equal bytes."""

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
from worker.runners.shard_writer import Made, Writer

NAMES = ("T-shirt/top", 'a "b", c')


def pictures(n: int, *, labelled: bool = True) -> Iterator[Made]:
    for number in range(n):
        array = np.random.default_rng(number).integers(0, 256, (5, 4, 3), np.uint8)
        yield Made(array, number % 2 if labelled else None, number // 2)


def written(path: Path, format_: Literal["zip", "npz"], count: int, first: int = 0, *, labelled: bool = True) -> bytes:
    Writer(format_, "images", NAMES).write(path, pictures(9, labelled=labelled), first, count)
    return path.read_bytes()


def test_a_zip_holds_pictures_and_a_table_of_labels(tmp_path: Path) -> None:
    data = written(tmp_path / "shard", "zip", 3, 40)
    with ZipFile(io.BytesIO(data)) as archive:
        assert archive.namelist() == ["0000040_0.png", "0000041_1.png", "0000042_0.png", "labels.csv"]
        assert archive.read("labels.csv").decode().splitlines() == [
            "file,label,class,index",
            "0000040_0.png,0,T-shirt/top,0",
            '0000041_1.png,1,"a ""b"", c",0',
            "0000042_0.png,0,T-shirt/top,1",
        ]
        for one, name in zip(pictures(3), archive.namelist(), strict=False):
            assert np.array_equal(np.asarray(Image.open(archive.open(name))), one.array)


def test_class_names_are_no_formulas_and_can_be_read_back(tmp_path: Path) -> None:
    names = ("=cmd|' /C calc'!A0", "'quoted'")
    Writer("zip", "images", names).write(tmp_path / "shard", pictures(2), 0, 2)
    with ZipFile(tmp_path / "shard") as archive:
        rows = list(csv.DictReader(io.StringIO(archive.read("labels.csv").decode())))
    assert [row["class"] for row in rows] == ["'=cmd|' /C calc'!A0", "''quoted'"]
    assert tuple(csv_text.unescape(row["class"]) for row in rows) == names


def test_without_labels_there_is_no_table(tmp_path: Path) -> None:
    with ZipFile(io.BytesIO(written(tmp_path / "zip", "zip", 2, labelled=False))) as archive:
        assert archive.namelist() == ["0000000.png", "0000001.png"]
    assert list(np.load(io.BytesIO(written(tmp_path / "npz", "npz", 2, labelled=False)))) == ["images"]


def test_arrays_are_read_by_numpy(tmp_path: Path) -> None:
    found = np.load(io.BytesIO(written(tmp_path / "shard", "npz", 6)), allow_pickle=False)
    assert np.array_equal(found["images"], np.stack([one.array for one in pictures(6)]))
    assert found["labels"].tolist() == [0, 1, 0, 1, 0, 1]
    assert str(found["labels"].dtype) == "int64"


@pytest.mark.parametrize("format_", ["zip", "npz"])
def test_equal_pictures_give_equal_bytes(tmp_path: Path, format_: Literal["zip", "npz"]) -> None:
    assert written(tmp_path / "one", format_, 9) == written(tmp_path / "other", format_, 9)


def test_a_shard_takes_no_more_than_its_share(tmp_path: Path) -> None:
    made = pictures(9)
    for first in (0, 4):
        Writer("npz", "images", NAMES).write(tmp_path / "shard", made, first, 4)
    assert next(made).index == 4, "the ninth picture is still to come"
