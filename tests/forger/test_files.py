"""What a folder becomes on its way: links inside are followed, and nothing is left out without a word."""

import os
import zipfile
from pathlib import Path

import pytest

from forger.cli.datasets import name_of
from forger.files import archive


def names(folder: Path) -> list[str]:
    with archive(folder) as file, zipfile.ZipFile(file) as packed:
        return packed.namelist()


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    for name in ("cats", "dogs"):
        (tmp_path / "pets" / name).mkdir(parents=True)
        (tmp_path / "pets" / name / "1.png").write_bytes(name.encode())
    return tmp_path / "pets"


def test_a_folder_is_packed_in_order_without_what_is_hidden(pets: Path) -> None:
    (pets / ".hidden").mkdir()
    (pets / ".hidden" / "a.png").touch()
    (pets / "cats" / ".b.png").touch()
    assert names(pets) == ["cats/1.png", "dogs/1.png"]


def test_links_to_folders_inside_and_to_files_are_followed(pets: Path, tmp_path: Path) -> None:
    (pets / "tigers").symlink_to("cats")
    (tmp_path / "far.png").write_bytes(b"far")
    (pets / "dogs" / "2.png").symlink_to(tmp_path / "far.png")
    assert names(pets) == ["cats/1.png", "dogs/1.png", "dogs/2.png", "tigers/1.png"]
    (tmp_path / "linked").symlink_to(pets)
    assert names(tmp_path / "linked") == names(pets)


@pytest.mark.parametrize(
    ("at", "to", "why"),
    [
        ("birds", "../elsewhere", "is a link to a folder outside"),
        ("birds", "nowhere", "which is not there"),
        ("birds", ".", "a folder that contains it"),
        ("cats/again", "..", "a folder that contains it"),
        ("cats/again", "../cats", "a folder that contains it"),
    ],
)
def test_other_links_are_refused_by_name(pets: Path, tmp_path: Path, at: str, to: str, why: str) -> None:
    (tmp_path / "elsewhere").mkdir()
    (pets / at).symlink_to(to)
    with pytest.raises(OSError, match=why) as refused:
        names(pets)
    assert refused.value.filename == str(pets / at)


def test_links_that_lead_to_each_other_end(pets: Path) -> None:
    (pets / "cats" / "dogs").symlink_to("../dogs")
    (pets / "dogs" / "cats").symlink_to("../cats")
    with pytest.raises(OSError, match="a folder that contains it"):
        names(pets)


@pytest.mark.parametrize("place", [b"cats/\xff.png", b"\xe9t\xe9/1.png"])
def test_a_name_that_is_no_utf_8_is_refused_by_name(pets: Path, place: bytes) -> None:
    path = Path(os.fsdecode(os.fsencode(pets) + b"/" + place))
    path.parent.mkdir(exist_ok=True)
    path.touch()
    with pytest.raises(OSError, match="no UTF-8") as refused:
        names(pets)
    assert refused.value.filename == str(path)


@pytest.mark.parametrize(
    ("folder", "name"),
    [("My Pets (2)", "my-pets-2"), ("Ünïcode", "unicode"), ("a.b", "a.b"), ("_x-", "x"), ("猫", "pictures"),
     ("a" * 80, "a" * 63), ("...", "pictures"), ("cats & dogs", "cats-dogs")],
)  # fmt: skip
def test_a_valid_name_is_made_of_any_folders(tmp_path: Path, folder: str, name: str) -> None:
    (tmp_path / folder).mkdir()
    assert name_of(tmp_path / folder) == name


def test_a_valid_name_is_made_of_any_zips(tmp_path: Path) -> None:
    assert name_of(tmp_path / "Ünïcode.zip") == "unicode"
    assert name_of(Path(os.fsdecode(b"/tmp/\xff\xfe.zip"))) == "pictures"
