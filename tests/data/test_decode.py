"""JPEG scans are counted as a decoder meets them, and too many are refused before decoding."""

import io

import pytest
from PIL import ImageFile

from bench.hostile import jpeg_of_scans
from data import decode
from data.decode import MAX_JPEG_SCANS, Fault, UnreadablePicture, read_picture
from tests.support.zips import noise, saved

PLAIN = saved(noise(64, 48, 1), "JPEG")
PROGRESSIVE = saved(noise(64, 48, 1), "JPEG", progressive=True)


@pytest.mark.parametrize(
    ("data", "scans"),
    [
        (PLAIN, 1),
        (PROGRESSIVE, 10),
        (jpeg_of_scans(64, 48, 5), 5),
        (PLAIN[:2] + b"\xff\xe9\x01\x02" + b"\xff\xda" * 128 + PLAIN[2:], 1),
        (PLAIN + b"\xff\xda" * 1000, 1),
        (PLAIN[:-2] + b"\xff\xff\xda\x00\x02" + PLAIN[-2:], 2),
        (PLAIN[:-2], 1),
    ],
    ids=[
        "baseline",
        "progressive",
        "built",
        "markers inside a segment",
        "markers after the end",
        "after fill bytes",
        "cut short",
    ],
)
def test_only_scans_that_a_decoder_meets_are_counted(data: bytes, scans: int) -> None:
    assert decode._scans(data) == scans


def test_jpeg_with_too_many_scans_is_refused_before_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    data = jpeg_of_scans(64, 48, MAX_JPEG_SCANS + 1)
    monkeypatch.setattr(ImageFile.ImageFile, "load", None)
    with pytest.raises(UnreadablePicture) as refused:
        read_picture(data)
    assert refused.value.fault is Fault.SCANS


def test_a_jpeg_inside_a_tiff_is_read() -> None:
    out = io.BytesIO()
    noise(64, 48, 1).save(out, "TIFF", compression="jpeg")
    assert read_picture(out.getvalue()).image.size == (64, 48)
