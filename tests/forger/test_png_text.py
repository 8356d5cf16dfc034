"""The recipe in a PNG: written as the standard says, read back by Pillow and by us, and never out of a hostile file."""

import io
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from data.images import encode
from data.png_text import with_text
from forger import picture_recipe
from forger.png_text import MAX_TEXT_BYTES
from tests.support.png_chunks import SIGNATURE, chunk, chunks, without_text
from tests.support.zips import noise

RECIPE = {"model": "digits@1", "seed": 2**63 - 1, "class": 7, "temperature": 0.5, "version": "0.1.0", "n": 1}
PLAIN = encode(np.asarray(noise(9, 7)))


def written(recipe: Any, keyword: str = "forger") -> bytes:
    return with_text(PLAIN, keyword, json.dumps(recipe))


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_the_text_is_read_by_pillow_and_by_us_and_the_pixels_stay(mode: str) -> None:
    image = noise(33, 21).convert(mode)
    plain = encode(np.asarray(image).reshape(21, 33, len(mode)))
    data = with_text(plain, "forger", json.dumps(RECIPE))
    with Image.open(io.BytesIO(data)) as read:
        assert read.text == {"forger": json.dumps(RECIPE)}  # type: ignore[attr-defined]
        assert (read.mode, read.tobytes()) == (mode, image.tobytes())
    assert picture_recipe(data) == RECIPE
    assert [kind for kind, _ in chunks(data)][:2] == [b"IHDR", b"tEXt"]
    assert without_text(data) == plain


def test_it_is_read_from_a_path(tmp_path: Path) -> None:
    (tmp_path / "seven.png").write_bytes(written(RECIPE))
    assert picture_recipe(tmp_path / "seven.png") == picture_recipe(str(tmp_path / "seven.png")) == RECIPE
    with pytest.raises(FileNotFoundError):
        picture_recipe(tmp_path / "none.png")


def test_letters_beyond_ascii_are_escaped_and_come_back() -> None:
    recipe = {"class": 'çats "é" \\ \n 鍛冶屋 🔨'}
    assert picture_recipe(written(recipe)) == recipe
    with pytest.raises(UnicodeEncodeError):
        with_text(PLAIN, "forger", json.dumps(recipe, ensure_ascii=False))


def test_it_is_found_behind_other_text_and_behind_the_pixels() -> None:
    data = with_text(written(RECIPE), "Comment", "by hand")
    assert picture_recipe(data) == RECIPE
    text = next(content for kind, content in chunks(written(RECIPE)) if kind == b"tEXt")
    end = chunk(b"IEND", b"")
    assert picture_recipe(PLAIN.removesuffix(end) + chunk(b"tEXt", text) + end) == RECIPE


def behind_the_head(content: bytes) -> bytes:
    return PLAIN[:33] + content + PLAIN[33:]


TEXT = b"forger\0" + json.dumps(RECIPE).encode()


@pytest.mark.parametrize(
    "data",
    {
        "nothing": b"",
        "no PNG": b"forger\0{}",
        "no text": PLAIN,
        "another's text": written(RECIPE, "Comment"),
        "a cut signature": SIGNATURE[:5],
        "a signature alone": SIGNATURE,
        "cut in the head of a chunk": written(RECIPE)[:37],
        "cut in the text": written(RECIPE)[:60],
        "cut before the checksum": written(RECIPE)[: 33 + 8 + len(TEXT)],
        "a wrong checksum": behind_the_head(chunk(b"tEXt", TEXT)[:-1] + b"\0"),
        "changed text": behind_the_head(chunk(b"tEXt", TEXT).replace(b"digits", b"others")),
        "a huge length": behind_the_head(struct.pack(">I", 2**32 - 1) + b"tEXt" + TEXT),
        "a length beyond the end": behind_the_head(struct.pack(">I", len(TEXT) + 10_000) + b"tEXt" + TEXT),
        "a long text": behind_the_head(chunk(b"tEXt", TEXT[:-1] + b" " * MAX_TEXT_BYTES + b"}")),
        "no JSON": behind_the_head(chunk(b"tEXt", b"forger\0{")),
        "no object": behind_the_head(chunk(b"tEXt", b"forger\0[1]")),
        "no ASCII": behind_the_head(chunk(b"tEXt", b'forger\0{"model": "\xe9"}')),
        "deep JSON": behind_the_head(chunk(b"tEXt", b"forger\0" + b'{"a":' * 800)),
        "a deep list": behind_the_head(chunk(b"tEXt", b"forger\0" + b"[" * 4000)),
        "a keyword alone": behind_the_head(chunk(b"tEXt", b"forger")),
        "endless empty chunks": SIGNATURE + chunk(b"aaAa", b"") * 20_000 + chunk(b"tEXt", TEXT),
        "a JPEG": b"\xff\xd8\xff\xe0" + TEXT,
    }.items(),
    ids=lambda named: named[0],
)
def test_other_and_hostile_bytes_have_no_recipe(data: tuple[str, bytes]) -> None:
    assert picture_recipe(data[1]) is None


def test_cut_after_the_text_the_recipe_is_still_read() -> None:
    assert picture_recipe(written(RECIPE)[: 33 + 12 + len(TEXT)]) == RECIPE


def test_no_cut_and_no_flipped_bit_of_the_text_raises_or_lies() -> None:
    data = written(RECIPE)
    for end in range(33, 33 + 12 + len(TEXT)):
        assert picture_recipe(data[:end]) is None
    for at in range(33, 33 + 12 + len(TEXT)):
        changed = bytearray(data)
        changed[at] ^= 0x40
        assert picture_recipe(bytes(changed)) is None
