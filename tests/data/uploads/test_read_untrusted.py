"""Zips that lie about what is in them."""

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


def listed(path: Path) -> list[str]:
    read_untrusted.close_archives()
    return list(read_untrusted.members(path, 1000, 8 << 30)["files"])


def zipped(path: Path, members: dict[str, bytes], **told: int) -> Path:
    """With a directory that says of every member what is told."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members.items():
            file.writestr(name, data)
        for info in file.infolist():
            for field, value in told.items():
                setattr(info, field, value)
    path.write_bytes(out.getvalue())
    return path


def test_sizes_beyond_the_file_are_refused_before_a_member_is_read(tmp_path: Path) -> None:
    (tmp_path / "zip").write_bytes(zip_of_false_sizes(20))
    with pytest.raises(Refused, match="larger than the zip itself") as refused:
        listed(tmp_path / "zip")
    assert refused.value.code == "unsafe_archive"


def test_members_that_share_their_bytes_are_refused(tmp_path: Path) -> None:
    members = {f"{number}.png": picture(number) for number in range(20)}
    path = zipped(tmp_path / "zip", members, header_offset=0)
    assert listed(path)
    size = path.stat().st_size
    with pytest.raises(Refused, match="larger than the zip itself"):
        listed(zipped(path, members, header_offset=0, compress_size=size // 2))


def test_no_more_is_unpacked_than_a_member_says_it_has(tmp_path: Path) -> None:
    path = zipped(tmp_path / "zip", {"big.png": bytes(200 << 20)}, file_size=100)
    read_untrusted.close_archives()
    tracemalloc.start()
    ((fact,), seconds) = read_untrusted.survey(path, ["big.png"], SurveyOptions(1_000_000))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "damaged" in fact["reason"]
    assert seconds >= 0
    assert peak < 20 << 20


def test_a_true_zip_is_read(tmp_path: Path) -> None:
    path = zipped(tmp_path / "zip", {"a.png": picture(1), "b/": b"", "b/empty.png": b""})
    assert listed(path) == ["a.png", "b/empty.png"]
    facts, _ = read_untrusted.survey(path, listed(path), SurveyOptions(1_000_000))
    assert ["reason" in fact for fact in facts] == [False, True]
