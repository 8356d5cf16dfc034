"""Folders that are uploaded: links, hidden files, names, and the dataset name that is derived."""

import os
import zipfile
from pathlib import Path

import pytest

from forger.cli.datasets import name_of
from forger.files import archive


def packed_names(folder: Path) -> list[str]:
    with archive(folder) as file, zipfile.ZipFile(file) as packed:
        return packed.namelist()


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    for name in ("cats", "dogs"):
        (tmp_path / "pets" / name).mkdir(parents=True)
        (tmp_path / "pets" / name / "1.png").write_bytes(name.encode())
    return tmp_path / "pets"


def test_folder_is_packed_in_order_without_hidden_files(pets: Path) -> None:
    (pets / ".hidden").mkdir()
    (pets / ".hidden" / "a.png").touch()
    (pets / "cats" / ".b.png").touch()
    assert packed_names(pets) == ["cats/1.png", "dogs/1.png"]


def test_links_to_folders_inside_and_to_files_are_followed(pets: Path, tmp_path: Path) -> None:
    (pets / "tigers").symlink_to("cats")
    (tmp_path / "far.png").write_bytes(b"far")
    (pets / "dogs" / "2.png").symlink_to(tmp_path / "far.png")
    assert packed_names(pets) == ["cats/1.png", "dogs/1.png", "dogs/2.png", "tigers/1.png"]
    (tmp_path / "linked").symlink_to(pets)
    assert packed_names(tmp_path / "linked") == packed_names(pets)


@pytest.mark.parametrize(
    ("link", "target", "reason"),
    [
        ("birds", "../elsewhere", "is a link to a folder outside"),
        ("birds", "nowhere", "which is not there"),
        ("birds", ".", "a folder that contains it"),
        ("cats/again", "..", "a folder that contains it"),
        ("cats/again", "../cats", "a folder that contains it"),
    ],
)
def test_links_outside_broken_links_and_cycles_are_refused(
    pets: Path, tmp_path: Path, link: str, target: str, reason: str
) -> None:
    (tmp_path / "elsewhere").mkdir()
    (pets / link).symlink_to(target)
    with pytest.raises(OSError, match=reason) as refused:
        packed_names(pets)
    assert refused.value.filename == str(pets / link)


def test_links_that_lead_to_each_other_are_refused(pets: Path) -> None:
    (pets / "cats" / "dogs").symlink_to("../dogs")
    (pets / "dogs" / "cats").symlink_to("../cats")
    with pytest.raises(OSError, match="a folder that contains it"):
        packed_names(pets)


@pytest.mark.parametrize("relative", [b"cats/\xff.png", b"\xe9t\xe9/1.png"])
def test_file_name_that_is_not_utf_8_is_refused(pets: Path, relative: bytes) -> None:
    path = Path(os.fsdecode(os.fsencode(pets) + b"/" + relative))
    path.parent.mkdir(exist_ok=True)
    path.touch()
    with pytest.raises(OSError, match="no UTF-8") as refused:
        packed_names(pets)
    assert refused.value.filename == str(path)


@pytest.mark.parametrize(
    ("folder", "name"),
    [("My Pets (2)", "my-pets-2"), ("Ünïcode", "unicode"), ("a.b", "a.b"), ("_x-", "x"), ("猫", "pictures"),
     ("a" * 80, "a" * 63), ("...", "pictures"), ("cats & dogs", "cats-dogs")],
)  # fmt: skip
def test_any_folder_name_gives_a_valid_dataset_name(tmp_path: Path, folder: str, name: str) -> None:
    (tmp_path / folder).mkdir()
    assert name_of(tmp_path / folder) == name


def test_any_zip_name_gives_a_valid_dataset_name(tmp_path: Path) -> None:
    assert name_of(tmp_path / "Ünïcode.zip") == "unicode"
    assert name_of(Path(os.fsdecode(b"/tmp/\xff\xfe.zip"))) == "pictures"
