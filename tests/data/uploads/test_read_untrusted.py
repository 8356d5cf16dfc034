"""Zips whose directory contradicts their content are refused."""

import io
import tracemalloc
import zipfile
from pathlib import Path

import pytest

from bench.hostile import zip_of_false_sizes
from data.errors import Refused
from data.uploads import read_untrusted
from data.uploads.read_untrusted import SurveyOptions
from tests.support.zips import picture


def list_files(path: Path) -> list[str]:
    read_untrusted.close_archives()
    return list(read_untrusted.members(path, 1000, 8 << 30)["files"])


def write_zip(path: Path, members: dict[str, bytes], **stated: int) -> Path:
    """Write a zip whose directory states these fields for every member."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members.items():
            file.writestr(name, data)
        for info in file.infolist():
            for field, value in stated.items():
                setattr(info, field, value)
    path.write_bytes(out.getvalue())
    return path


def test_stated_sizes_beyond_the_zip_are_refused_before_a_member_is_read(tmp_path: Path) -> None:
    (tmp_path / "zip").write_bytes(zip_of_false_sizes(20))
    with pytest.raises(Refused, match="larger than the zip itself") as refused:
        list_files(tmp_path / "zip")
    assert refused.value.code == "unsafe_archive"


def test_overlapping_members_are_refused_if_together_larger_than_the_zip(tmp_path: Path) -> None:
    members = {f"{number}.png": picture(number) for number in range(20)}
    path = write_zip(tmp_path / "zip", members, header_offset=0)
    assert list_files(path)
    size = path.stat().st_size
    with pytest.raises(Refused, match="larger than the zip itself"):
        list_files(write_zip(path, members, header_offset=0, compress_size=size // 2))


def test_unpacking_stops_at_the_stated_size_of_a_member(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "zip", {"big.png": bytes(200 << 20)}, file_size=100)
    read_untrusted.close_archives()
    tracemalloc.start()
    ((fact,), seconds) = read_untrusted.survey(path, ["big.png"], SurveyOptions(1_000_000))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "damaged" in fact["reason"]
    assert seconds >= 0
    assert peak < 20 << 20


def test_honest_zip_is_listed_and_surveyed(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "zip", {"a.png": picture(1), "b/": b"", "b/empty.png": b""})
    assert list_files(path) == ["a.png", "b/empty.png"]
    facts, _ = read_untrusted.survey(path, list_files(path), SurveyOptions(1_000_000))
    assert ["reason" in fact for fact in facts] == [False, True]
