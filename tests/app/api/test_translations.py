"""POST /translate: pictures of every size and format, and refusals of invalid files."""

import io
import struct
import threading
import tracemalloc
import zlib
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps
from PIL.PngImagePlugin import PngInfo
from starlette.testclient import TestClient

from app.api.replies import images
from app.core.settings import get_settings
from app.services.jobs import lifecycle
from bench.hostile import interlaced_png, jpeg_of_scans
from data.decode import MAX_JPEG_SCANS
from tests.app.api.conftest import Publish
from tests.support.files import SWAPPED, converted
from tests.support.invalid_pictures import png_declaring, png_of, png_with_inflating_chunk, tiff_directory
from tests.support.png_chunks import chunks, without_text
from tests.support.zips import noise, saved

MULTIPART = "multipart/form-data; boundary=x"


@pytest.fixture(scope="module", autouse=True)
def models(publish: Publish) -> None:
    small = {"generator": {"width": 4, "blocks": 1}}
    publish("cyclegan", "day2night", name="night", **small)
    publish("dcgan", "digits", name="plain")


def scene(width: int, height: int, mode: str = "RGB") -> Image.Image:
    return noise(width, height, 1, mode)


def translate(client: TestClient, data: bytes, **fields: str) -> Any:
    return client.post("/translate", files={"file": ("../../etc/x.png", data)}, data=fields)


def open_reply(reply: Any, mode: str = "RGB") -> Image.Image:
    assert reply.status_code == 200, reply.text
    assert reply.headers["content-type"] == "image/png"
    image = Image.open(io.BytesIO(reply.content))
    assert image.mode == mode
    return image


def size_of(reply: Any) -> tuple[int, int]:
    return open_reply(reply).size


@pytest.mark.parametrize("size", [(16, 16), (17, 200), (64, 64), (65, 33), (127, 90), (900, 700)])
def test_the_picture_keeps_its_size(client: TestClient, size: tuple[int, int]) -> None:
    assert size_of(translate(client, saved(scene(*size)))) == size


@pytest.mark.parametrize("format_", ["PNG", "JPEG", "WEBP", "BMP", "TIFF", "PPM", "GIF", "AVIF"])
def test_every_picture_format_is_read(client: TestClient, format_: str) -> None:
    assert size_of(translate(client, saved(scene(40, 24), format_))) == (40, 24)


@pytest.mark.parametrize("mode", ["L", "P", "CMYK", "1", "I;16"])
def test_every_pixel_mode_is_read(client: TestClient, mode: str) -> None:
    if mode == "I;16":
        image = Image.fromarray(np.arange(600, dtype=np.uint16).reshape(20, 30) * 100)
    else:
        image = scene(30, 20).convert(mode)
    assert size_of(translate(client, saved(image, "TIFF" if mode == "CMYK" else "PNG"))) == (30, 20)


def deep_png(colour: int, samples: int) -> bytes:
    """Return a PNG of 30 x 20 pixels of 16 bits whose upper bytes are those of `scene`; Pillow cannot write one."""
    pixels = np.asarray(scene(30, 20))[..., :samples].astype(np.uint16) * 256 + 17
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    return png_of(struct.pack(">IIBBBBB", 30, 20, 16, colour, 0, 0, 0), zlib.compress(rows))


def test_16_bit_png_is_read_by_its_upper_8_bits(client: TestClient) -> None:
    deep, plain = translate(client, deep_png(2, 3)), translate(client, saved(scene(30, 20)))
    assert size_of(deep) == (30, 20)
    assert deep.content == plain.content


def test_16_bit_pgm_is_read_by_its_upper_8_bits(client: TestClient) -> None:
    grey = np.asarray(scene(30, 20).convert("L"))
    deep = b"P5 30 20 65535\n" + (grey.astype(np.uint16) * 256 + 9).astype(">u2").tobytes()
    assert translate(client, deep).content == translate(client, saved(Image.fromarray(grey))).content


@pytest.mark.parametrize("alpha", [0, 1, 127, 254])
@pytest.mark.parametrize(
    ("format_", "options"), [("PNG", {}), ("WEBP", {"lossless": True, "exact": True}), ("TIFF", {})]
)
def test_colours_hidden_by_alpha_do_not_change_the_result(
    client: TestClient, format_: str, options: dict[str, Any], alpha: int
) -> None:
    """Pictures that look equal over white have equal translations, whatever colour lies under alpha 0."""
    alpha_channel = Image.fromarray(np.where(np.arange(600).reshape(20, 30) % 5, 255, alpha).astype(np.uint8))
    images = [
        scene(30, 20),
        Image.composite(scene(30, 20), noise(30, 20, 9), alpha_channel) if alpha == 0 else scene(30, 20),
    ]
    replies = []
    for image in images:
        image.putalpha(alpha_channel)
        replies.append(translate(client, saved(image, format_, **options)))
    assert open_reply(replies[0], "RGBA").getchannel("A").tobytes() == alpha_channel.tobytes()
    assert replies[0].content == replies[1].content
    white = Image.alpha_composite(Image.new("RGBA", (30, 20), "white"), images[0]).convert("RGB")
    opaque = open_reply(translate(client, saved(white)))
    assert open_reply(replies[0], "RGBA").convert("RGB").tobytes() == opaque.tobytes()


def test_colours_are_converted_to_srgb_and_a_note_says_so(client: TestClient) -> None:
    image = scene(30, 20)
    with_profile = translate(client, saved(image, icc_profile=SWAPPED))
    in_srgb = translate(client, saved(Image.fromarray(converted(np.asarray(image), SWAPPED))))
    assert "sRGB" in with_profile.headers["forger-note"]
    assert open_reply(with_profile).tobytes() == open_reply(in_srgb).tobytes()
    assert "sRGB" not in in_srgb.headers.get("forger-note", "")
    with_invalid_profile = translate(client, saved(image, icc_profile=b"nonsense"))
    assert "ICC" in with_invalid_profile.headers["forger-note"]
    assert open_reply(with_invalid_profile).tobytes() == open_reply(translate(client, saved(image))).tobytes()


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA"])
def test_alpha_is_kept(client: TestClient, mode: str) -> None:
    alpha = Image.fromarray(np.arange(600, dtype=np.uint8).reshape(20, 30))
    colour = scene(30, 20).convert("L" if mode == "LA" else "RGB")
    colour.putalpha(alpha)
    file = saved(colour.convert(mode), "TIFF" if mode == "PA" else "PNG")
    if mode == "PA":
        file = saved(colour.quantize(16), "PNG")
        alpha = Image.open(io.BytesIO(file)).convert("RGBA").getchannel("A")
    translated = open_reply(translate(client, file), "RGBA")
    assert translated.getchannel("A").tobytes() == alpha.tobytes()
    if mode != "PA":
        opaque = Image.alpha_composite(Image.new("RGBA", colour.size, "white"), colour.convert("RGBA")).convert("RGB")
        assert translated.convert("RGB").tobytes() == open_reply(translate(client, saved(opaque))).tobytes()


def test_a_transparent_colour_is_kept_transparent(client: TestClient) -> None:
    palette = scene(30, 20).convert("P")
    colour = int(np.asarray(palette)[0, 0])
    translated = open_reply(translate(client, saved(palette, transparency=colour)), "RGBA")
    assert set(translated.getchannel("A").tobytes()) == {0, 255}


def test_directions_differ_and_the_model_is_named(client: TestClient) -> None:
    data = saved(scene(32, 32))
    forward, backward = translate(client, data), translate(client, data, direction="b2a", model="night@1")
    assert forward.headers["x-forger-model"] == backward.headers["x-forger-model"] == "night@1"
    assert without_text(forward.content) != without_text(backward.content)
    assert translate(client, data).content == forward.content


@pytest.mark.parametrize("format_", ["PNG", "JPEG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_turned_upright(client: TestClient, orientation: int, format_: str) -> None:
    """The orientation of the EXIF data is applied as Pillow applies it."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if format_ == "WEBP" else {}
    file = saved(scene(40, 24), format_, exif=exif, **options)
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(file)))
    translated = open_reply(translate(client, file))
    assert translated.size == upright.size == ((40, 24) if orientation < 5 else (24, 40))
    upright.info.clear()
    assert translated.tobytes() == open_reply(translate(client, saved(Image.fromarray(np.asarray(upright))))).tobytes()


def test_metadata_is_dropped(client: TestClient) -> None:
    exif = Image.Exif()
    exif[0x010F] = "a maker"
    text = PngInfo()
    text.add_text("where", "at home", zip=True)
    file = saved(scene(40, 24), exif=exif, pnginfo=text, icc_profile=b"x" * 200, dpi=(1, 1))
    reply = translate(client, file)
    assert size_of(reply) == (40, 24)
    assert [kind for kind, _ in chunks(reply.content)] == [b"IHDR", b"tEXt", b"IDAT", b"IEND"], "our text, and no other"
    assert b"at home" not in reply.content


def animated(format_: str) -> bytes:
    return saved(scene(64, 64), format_, save_all=True, append_images=[scene(64, 64)] * 20)


VALID = saved(scene(64, 64))
INVALID = {
    "empty": (b"", 415),
    "text": (b"not a picture", 415),
    "jpeg 2000": (saved(scene(30, 30), "JPEG2000"), 415),
    "cut short": (VALID[: len(VALID) // 2], 422),
    "damaged": (VALID[:60] + b"\0" * 40 + VALID[100:], 422),
    "cut jpeg": (saved(scene(64, 64), "JPEG")[:800], 422),
    "32 bits": (saved(Image.fromarray(np.zeros((4, 4), np.float32)), "TIFF"), 422),
    "too many pixels": (saved(Image.new("L", (1001, 1000))), 422),
    "bomb": (png_declaring(13_000, 13_000), 422),
    "larger bomb": (png_declaring(100_000, 100_000), 422),
    "too many bytes": (b"x" * 2_000_001, 413),
    "too small": (saved(scene(15, 400)), 422),
    "a tiff without pixels": (tiff_directory(900, 900), 422),
    "a compressed tiff without pixels": (tiff_directory(900, 900, _259=5), 422),
    "a tiff of huge tiles": (tiff_directory(900, 900, _322=1 << 30, _323=1 << 30, _324=8, _325=1 << 31), 422),
    "a tiff that is huge": (tiff_directory(60_000, 60_000), 422),
    "a jpeg of many scans": (jpeg_of_scans(64, 64, MAX_JPEG_SCANS + 1), 422),
    "a tiff of many samples": (tiff_directory(900, 900, _277=60_000), 415),
}
INFLATED = {
    "text": (b"zTXt", b"Comment\0\0"),
    "international text": (b"iTXt", b"Comment\0\1\0\0\0"),
    "profile": (b"iCCP", b"icc\0\0"),
}
"""chunk types, and the bytes before the compressed data"""


@pytest.mark.parametrize("case", INVALID)
def test_invalid_files_are_refused_with_a_problem(client: TestClient, case: str) -> None:
    data, status = INVALID[case]
    reply = translate(client, data)
    assert reply.status_code == status, reply.text
    assert reply.headers["content-type"] == "application/problem+json"


@pytest.mark.slow
@pytest.mark.parametrize("kind", INFLATED)
def test_png_chunk_that_inflates_to_500_mb_is_bounded(client: TestClient, kind: str) -> None:
    assert translate(client, png_with_inflating_chunk(*INFLATED[kind])).status_code in (200, 422)


@pytest.mark.parametrize("format_", ["PNG", "WEBP", "TIFF"])
def test_first_frame_of_an_animation_is_translated(client: TestClient, format_: str) -> None:
    assert size_of(translate(client, animated(format_))) == (64, 64)


@pytest.mark.parametrize(
    "data", [jpeg_of_scans(200, 120, MAX_JPEG_SCANS), interlaced_png(200, 120)], ids=["jpeg", "png"]
)
def test_progressive_and_interlaced_pictures_are_read(client: TestClient, data: bytes) -> None:
    assert size_of(translate(client, data)) == (200, 120)
    assert size_of(translate(client, saved(scene(200, 120), "JPEG", progressive=True))) == (200, 120)


def test_refusals_name_the_limit(client: TestClient) -> None:
    refused = translate(client, INVALID["a jpeg of many scans"][0]).json()
    assert (refused["code"], f"scans, more than {MAX_JPEG_SCANS}." in refused["detail"]) == ("too_many_scans", True)
    too_small = translate(client, INVALID["too small"][0]).json()["detail"]
    assert "16 pixels a side are the least (min_side): enlarge it." in too_small
    assert "2000000" in translate(client, INVALID["too many bytes"][0]).json()["detail"]
    assert "1000000" in translate(client, INVALID["bomb"][0]).json()["detail"]


def test_decompression_bomb_takes_no_memory(client: TestClient) -> None:
    tracemalloc.start()
    translate(client, INVALID["bomb"][0])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 50_000_000


def test_endless_body_without_a_length_replies_413(client: TestClient) -> None:
    def endless() -> Iterator[bytes]:
        yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
        for _ in range(1000):
            yield b"\0" * 100_000

    reply = client.post("/translate", content=endless(), headers={"content-type": MULTIPART})
    assert reply.status_code == 413
    assert reply.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [({"direction": "up"}, "/direction"), ({"model": "a/b"}, "/model"), ({"model": "plain"}, "/model")],
)
def test_invalid_fields_are_refused_with_a_pointer(client: TestClient, fields: dict[str, str], pointer: str) -> None:
    reply = translate(client, VALID, **fields)
    assert reply.status_code == 422
    assert [error["pointer"] for error in reply.json()["errors"]] == [pointer]


def test_second_file_and_long_field_are_refused(client: TestClient) -> None:
    reply = client.post("/translate", files=[("file", VALID), ("file", VALID)])
    assert reply.status_code == 400
    assert client.post("/translate", files={"file": VALID}, data={"model": "x" * 5000}).status_code == 400


def test_refusals_leave_nothing_behind(client: TestClient) -> None:
    home = get_settings().home
    translate(client, VALID)
    before = (sorted(home.rglob("*")), lifecycle.list_jobs(limit=100)[0])
    for data, _ in INVALID.values():
        translate(client, data)
    assert (sorted(home.rglob("*")), lifecycle.list_jobs(limit=100)[0]) == before


def test_pictures_waiting_to_be_decoded_are_bounded(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    release, decode = threading.Event(), images._decoded

    def decode_when_released(*args: Any) -> Any:
        assert release.wait(60)
        return decode(*args)

    monkeypatch.setattr(images, "_decoded", decode_when_released)
    with ThreadPoolExecutor(images.MAX_DECODING + 1) as pool:
        replies = [pool.submit(translate, client, VALID) for _ in range(images.MAX_DECODING + 1)]
        refused = next(as_completed(replies)).result()
        release.set()
        statuses = Counter(future.result().status_code for future in replies)
    assert (refused.status_code, refused.json()["code"]) == (429, "busy")
    assert int(refused.headers["retry-after"]) >= 1
    assert statuses == {200: images.MAX_DECODING, 429: 1}


def form(*lines: bytes, data: bytes = VALID) -> bytes:
    """Return a form of one part with these headers."""
    return b"--x\r\n" + b"\r\n".join(lines) + b"\r\n\r\n" + data + b"\r\n--x--\r\n"


DISPOSITION = b'Content-Disposition: form-data; name="file"'
BOUNDARY = {"content-type": "multipart/form-data; boundary=x"}


@pytest.mark.parametrize(
    "name", [b"; filename*=UTF-8''caf%C3%A9.png", b"; filename*=UTF-8''" + b"%C3%A9" * 50 + b".png", b'; filename=""',
             b'; filename*="UTF-8\'de\'a.png"', b"; filename=a.png; filename*=UTF-8''b%22.png"]
)  # fmt: skip
def test_part_with_any_spelling_of_a_filename_is_a_file(client: TestClient, name: bytes) -> None:
    reply = client.post("/translate", content=form(DISPOSITION + name), headers=BOUNDARY)
    assert size_of(reply) == Image.open(io.BytesIO(VALID)).size


@pytest.mark.parametrize("path", ["/translate", "/datasets"])
@pytest.mark.parametrize("data", [VALID, b"x" * 5000, b"x"])
def test_part_without_a_filename_is_refused_with_an_example(client: TestClient, path: str, data: bytes) -> None:
    reply = client.post(path, content=form(DISPOSITION, data=data), headers=BOUNDARY)
    assert reply.status_code == 422
    (error,) = reply.json()["errors"]
    assert error["pointer"] == "/file"
    assert "curl -F file=@photo.jpg" in error["message"]


@pytest.mark.parametrize("path", ["/translate", "/datasets"])
@pytest.mark.parametrize("media", ["application/x-www-form-urlencoded", "image/png", None])
def test_body_that_is_no_form_is_refused_with_an_example(client: TestClient, path: str, media: str | None) -> None:
    data = VALID + b"&=" * 2000
    reply = client.post(path, content=data, headers={} if media is None else {"content-type": media})
    assert reply.status_code == 415
    assert "curl -F file=@photo.jpg" in reply.json()["detail"]


@pytest.mark.parametrize(
    ("accept", "format_"),
    [("image/jpeg", "JPEG"), ("image/webp", "WEBP"), ("image/*", "PNG"), ("image/png;q=0.1, image/jpeg", "JPEG")],
)
def test_accept_header_chooses_the_output_format(client: TestClient, accept: str, format_: str) -> None:
    files = {"file": ("a.png", saved(scene(40, 24)))}
    best, worst = (
        client.post("/translate", files=files, data={"quality": quality}, headers={"accept": accept})
        for quality in ("95", "5")
    )
    translated = Image.open(io.BytesIO(best.content))
    assert (translated.format, translated.size) == (format_, (40, 24))
    assert best.headers["content-type"] == f"image/{format_.lower()}"
    assert best.headers["vary"] == "Accept"
    assert (len(worst.content) < len(best.content)) == (format_ != "PNG")


def test_unsupported_output_format_replies_406(client: TestClient) -> None:
    reply = client.post("/translate", files={"file": VALID}, headers={"accept": "image/tiff"})
    assert reply.status_code == 406


def test_transparency_becomes_white_in_jpeg_and_is_kept_in_webp(client: TestClient) -> None:
    image = scene(40, 24, "RGBA")
    image.putalpha(0)
    for accept, mode in (("image/jpeg", "RGB"), ("image/webp", "RGBA")):
        reply = client.post("/translate", files={"file": saved(image)}, headers={"accept": accept})
        translated = Image.open(io.BytesIO(reply.content))
        assert translated.mode == mode
        if mode == "RGB":
            assert translated.getextrema() == ((255, 255),) * 3
        else:
            assert translated.getchannel("A").getextrema() == (0, 0)
