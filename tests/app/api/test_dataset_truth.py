"""What the report of an upload says is what training sees: layouts, classes, depths, colours, shapes, splits."""

import io
import itertools
import json
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from app.core.sandbox.parent import Sandbox
from app.core.settings import get_settings
from app.services.datasets import catalog
from data import csv_text
from data.readers.builtin import Data, DatasetMissing
from data.readers.uploads import Upload, load_upload
from models.spec.data import Images, Paired, Unpaired
from tests.support.files import COLOUR, GREY, P3, bmp, chunk, converted, png, tiff
from tests.support.zips import classes, noise, picture, saved, zipped
from worker.runners import inputs
from worker.runners.inputs import Reader
from worker.runners.shard_writer import Made, Writer

Body = dict[str, Any]
Members = dict[str, bytes]
NUMBERS = itertools.count()


@pytest.fixture(scope="module")
def backend() -> str:
    return "sqlite"


class Uploads:
    """Sends zips, and reads them as training does."""

    def __init__(self, client: TestClient, sandbox: Sandbox) -> None:
        self.client, self.sandbox = client, sandbox

    def send(self, data: bytes | Members, **fields: str) -> Any:
        name = f"d{next(NUMBERS)}"
        file = data if isinstance(data, bytes) else zipped(data)
        return self.client.post("/datasets", files={"file": ("x.zip", file)}, data={"name": name} | fields)

    def take(self, data: bytes | Members, **fields: str) -> Body:
        reply = self.send(data, **fields)
        assert reply.status_code == 201, reply.text
        body: Body = reply.json()
        self.agrees(body)
        return body

    def refusal(self, data: bytes | Members, **fields: str) -> str:
        reply = self.send(data, **fields)
        assert reply.status_code == 422, reply.text
        detail: str = reply.json()["detail"]
        return detail

    def agrees(self, body: Body) -> None:
        """The report, the row and the tensors."""
        report, seen = body["report"], self.seen(body)
        piles = [pile for pile in (seen.images, seen.a, seen.b) if pile is not None]
        side, channels = report["transform"]["side"], report["transform"]["channels"]
        assert {tuple(pile.shape[1:]) for pile in piles} == {(channels, side, side)}
        assert (side, channels) == (body["side"], body["channels"])
        assert body["size"] == (sum(map(len, piles)) if body["kind"] == "unpaired" else len(piles[0]))
        if report["transform"]["crop"] != "tiles":
            counted = sum(map(len, piles)) if report["layout"] != "side_by_side" else len(piles[0])
            assert report["pictures"] == counted
            assert list(report["piles"].values()) == ([len(pile) for pile in piles] if len(piles) == 2 else [])
            if body["classes"]:
                assert seen.labels is not None
                counts = seen.labels.bincount(minlength=body["classes"]).tolist()
                assert [one["pictures"] for one in report["classes"]["first"]] == counts
        if channels == 3:
            colour = sum(int((pile != pile[:, :1]).flatten(1).any(dim=1).sum()) for pile in piles)
            assert colour > 0
        if report["held_out"]:
            kept = self.seen(body, "test")
            held = [pile for pile in (kept.images, kept.a, kept.b) if pile is not None]
            assert {tuple(pile.shape[1:]) for pile in held} == {(channels, side, side)}
        else:
            with pytest.raises(DatasetMissing):
                self.seen(body, "test")

    def seen(self, body: Body, split: Any = "train") -> Data:
        """As `loading.read`, but one child reads for all."""
        spec, files = catalog.find(body["name"]).info.spec(), catalog.files(body["name"])
        assert files is not None
        assert isinstance(spec, Images | Unpaired | Paired)
        upload = Upload(files.archive, files.index, get_settings().prepared, lambda: None, Reader(self.sandbox))
        return load_upload(spec, upload, split)


@pytest.fixture(scope="module")
def uploads(client: TestClient) -> Iterator[Uploads]:
    with closing(Sandbox(1, readable=(get_settings().artifacts,))) as sandbox:
        yield Uploads(client, sandbox)


def notes(body: Body) -> str:
    return " ".join(body["report"]["notes"])


# ---- folders and names


@pytest.mark.parametrize("held", ["val", "test"])
@pytest.mark.parametrize("layout", ["classes", "flat", "paired", "unpaired", "side_by_side"])
def test_a_held_out_split_is_kept_for_evaluation(uploads: Uploads, layout: str, held: str) -> None:
    inner = {
        "classes": ["cat/1.png", "cat/2.png", "dog/3.png"], "flat": ["1.png", "2.png"], "side_by_side": ["1.png"],
        "paired": ["A/1.png", "B/1.png"], "unpaired": ["A/{}1.png", "B/{}2.png", "B/{}3.png"],
    }[layout]  # fmt: skip
    names = [f"{split}/{name.format(split)}" for split in ("train", held) for name in inner]
    members = {name: picture(seed, 40, 20) for seed, name in enumerate(names)}
    asked = {"layout": layout} if layout == "side_by_side" else {}
    body = uploads.take(members, **asked)
    assert body["report"]["layout"] == layout
    assert body["report"]["held_out"] == len(inner)
    assert f"'{held}' is kept for evaluation" in notes(body)
    train, kept = uploads.seen(body), uploads.seen(body, "test")
    for mine, other in ((train.images, kept.images), (train.a, kept.a), (train.b, kept.b)):
        if mine is not None and other is not None:
            assert len(mine) == len(other)
            assert not (mine == other).flatten(1).all(dim=1).any()
    if layout == "classes":
        assert train.labels is not None
        assert kept.labels is not None
        assert train.labels.tolist() == kept.labels.tolist() == [0, 0, 1]


def packed(members: list[tuple[bytes, bytes, bytes]]) -> bytes:
    """A zip of (name as it is written, extra field, content) without a word on how names are written."""
    out, listed = b"", b""
    for name, extra, data in members:
        head = struct.pack(
            "<HHHHHIIIHH", 20, 0, 0, 0, 0x21, zlib.crc32(data), len(data), len(data), len(name), len(extra)
        )
        listed += b"PK\1\2" + struct.pack("<H", 20) + head + struct.pack("<HHHII", 0, 0, 0, 0, len(out)) + name + extra
        out += b"PK\3\4" + head + name + extra + data
    return (
        out + listed + b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, len(members), len(members), len(listed), len(out), 0)
    )


def unicode_path(name: bytes, text: str) -> bytes:
    """Info-ZIP's extra field."""
    body = b"\1" + struct.pack("<I", zlib.crc32(name)) + text.encode()
    return struct.pack("<HH", 0x7075, len(body)) + body


@pytest.mark.parametrize("encoding", ["cp932", "cp437", "utf-8", "gb18030", "euc_kr"])
@pytest.mark.parametrize("extra", [True, False])
def test_legacy_names_are_read(uploads: Uploads, encoding: str, extra: bool) -> None:
    names = {
        "cp932": ("いぬ", "ねこカメラ"), "cp437": ("Café", "Größe"), "utf-8": ("Café", "日本"),
        "gb18030": ("图片", "照片"), "euc_kr": ("강아지", "고양이"),
    }[encoding]  # fmt: skip
    members = []
    for number, name in enumerate((*names, *names)):
        text = f"{name}/{number}.png"
        raw = text.encode(encoding)
        members.append((raw, unicode_path(raw, text) if extra else b"", picture(number)))
    body = uploads.take(packed(members))
    assert sorted(body["class_names"]) == sorted(names)
    assert ("were read as" in notes(body)) is not extra
    if not extra:
        assert encoding in notes(body)


def test_an_extra_field_of_an_older_name_says_nothing(uploads: Uploads) -> None:
    stale = unicode_path(b"another name", "wrong/1.png")
    body = uploads.take(packed([(b"cat/1.png", stale, picture(1)), (b"dog/1.png", b"", picture(2))]))
    assert body["class_names"] == ["cat", "dog"]


@pytest.mark.parametrize("marked", [True, False])
def test_backslashes_and_entries_for_folders(uploads: Uploads, marked: bool) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for folder in ("pets\\", "pets\\cat\\", "pets\\dog\\"):
            info = zipfile.ZipInfo(folder)
            info.external_attr = 0x10 if marked else 0
            archive.writestr(info, b"")
        for number, name in enumerate(["pets\\cat\\1.png", "pets\\dog\\2.png"]):
            archive.writestr(zipfile.ZipInfo(name), picture(number))
    body = uploads.take(out.getvalue())
    assert body["class_names"] == ["cat", "dog"]
    assert body["report"]["ignored"]["total"] == 0


@pytest.mark.parametrize("wanted", ["NFC", "NFD"])
def test_composed_and_decomposed_names_are_one(uploads: Uploads, client: TestClient, wanted: Any) -> None:
    cafe = [unicodedata.normalize(form, "Café") for form in ("NFC", "NFD")]
    body = uploads.take({f"{cafe[0]}/1.png": picture(1), f"{cafe[1]}/1.png": picture(2), "Bar/1.png": picture(3)})
    assert body["class_names"] == ["Bar", "Café"]
    assert body["report"]["classes"]["first"][1]["pictures"] == 2
    assert catalog.class_number(tuple(body["class_names"]), unicodedata.normalize(wanted, "café")) == 1
    assert catalog.class_number((cafe[1],), cafe[0]) == 0, "as older versions stored it"


def test_our_own_labelled_zip_comes_back(uploads: Uploads, tmp_path: Path) -> None:
    names = ("zebra", "ant", "=fox")
    made = [Made(np.asarray(noise(24, 24, number)), label, number) for number, label in enumerate([0, 2, 1, 0, 2])]
    Writer("zip", "images", names).write(tmp_path / "shard.zip", iter(made), 0, len(made))
    body = uploads.take((tmp_path / "shard.zip").read_bytes())
    assert tuple(body["class_names"]) == names
    seen = uploads.seen(body)
    assert seen.labels is not None
    assert seen.images is not None
    assert seen.labels.tolist() == [0, 0, 1, 2, 2]
    assert np.array_equal(seen.images[2].permute(1, 2, 0), made[2].array)


def test_styleganʼs_zip_has_the_classes_of_its_json(uploads: Uploads) -> None:
    names = [f"0000{number // 2}/img{number:08d}.png" for number in range(4)]
    said = json.dumps({"labels": [[name, 5 * (number % 2)] for number, name in enumerate(names)]}).encode()
    members = {name: picture(number) for number, name in enumerate(names)}
    body = uploads.take(members | {"dataset.json": said})
    assert body["class_names"] == ["0", "5"]
    assert uploads.take(members | {"dataset.json": b'{"labels": null}'})["class_names"] == []
    broken = uploads.take(members | {"dataset.json": b"{"})
    assert broken["classes"] == 2
    assert "cannot be read" in notes(broken)


@pytest.mark.parametrize("head", [("file_name", "label"), ("Path", "Class"), ("image", "category")])
def test_a_csv_says_classes(uploads: Uploads, head: tuple[str, str]) -> None:
    table = csv_text.to_csv(head, [(f"x/{number}.png", "ab"[number % 2]) for number in range(3)])
    body = uploads.take({f"x/{number}.png": picture(number) for number in range(3)} | {"metadata.csv": table.encode()})
    assert (body["class_names"], body["report"]["layout"]) == (["a", "b"], "classes")


def test_folders_of_unread_formats_are_refused_by_name(uploads: Uploads) -> None:
    said = uploads.refusal({"cat/1.png": picture(1), "dog/1.heic": b"x", "dog/2.heic": b"y"})
    assert "'dog'" in said
    assert "2 HEIC" in said
    assert "'dog'" in uploads.refusal({"cat/1.png": picture(1), "dog/Thumbs.db": b""})


@pytest.mark.parametrize("format_", ["GIF", "AVIF"])
def test_more_formats_are_read(uploads: Uploads, format_: str) -> None:
    files = {f"{name}/{number}.{format_.lower()}": saved(noise(24, 24, number), format_)
             for name, number in (("cat", 1), ("dog", 2))}  # fmt: skip
    body = uploads.take(files)
    assert body["report"]["formats"] == {format_: 2}


# ---- colours and shapes


@pytest.mark.parametrize("kind", ["grey", "colour", "tiff"])
def test_undeclared_twelve_bits_are_told_and_taken_when_asked(uploads: Uploads, kind: str) -> None:
    values = np.random.default_rng(1).integers(0, 4096, (16, 16, 3 if kind == "colour" else 1), np.uint16)
    values[0, 0] = 4095
    data = tiff(values) if kind == "tiff" else png(values, 16, COLOUR if kind == "colour" else GREY)
    name = f"1.{'tif' if kind == 'tiff' else 'png'}"
    dark = uploads.take({name: data})
    assert "values reach 4095 of 65535: looks like 12 bits" in notes(dark)
    clear = uploads.take({name: data}, depth="12")
    seen = uploads.seen(clear).images
    assert seen is not None
    assert "looks like" not in notes(clear)
    assert np.array_equal(seen[0].permute(1, 2, 0), values >> 4)
    assert "upper 8 of 12" in " ".join(clear["report"]["transform"]["steps"])


def test_profiles_and_opaque_bitmaps_are_told(uploads: Uploads) -> None:
    image = noise(24, 24, 1)
    pixels = np.random.default_rng(1).integers(0, 256, (24, 24, 4), np.uint8)
    pixels[..., 3] = 0
    members = {"1.png": saved(image, icc_profile=P3), "2.bmp": bmp(pixels),
               "3.png": png(pixels[..., :3], 8, COLOUR, chunk(b"gAMA", b"\1\2\3"))}  # fmt: skip
    body = uploads.take(members)
    report = body["report"]
    assert report["profiles"] == {"P3-like RGB": 1}
    assert "converted to sRGB" in notes(body)
    assert report["alpha"] == 0
    assert [one["name"] for one in report["skipped"]["first"]] == ["2.bmp", "3.png"]
    assert report["corrupt"]["total"] == 0
    seen = uploads.seen(body).images
    assert seen is not None
    assert np.abs(seen[0].permute(1, 2, 0).numpy().astype(int) - converted(np.asarray(image), P3)).max() <= 1
    assert np.array_equal(seen[1].permute(1, 2, 0), pixels[..., :3])


def label_map(number: int) -> Image.Image:
    """Four colours in uneven stripes of 96 pixels."""
    rows = (np.arange(96) // (5 + number)) % 4
    return Image.fromarray(np.array([[200, 0, 0], [0, 180, 0], [0, 0, 160], [250, 240, 230]], np.uint8)[rows][:, None]
                           .repeat(96, 1))  # fmt: skip


@pytest.mark.parametrize("mode", ["RGB", "P", "L"])
@pytest.mark.parametrize("layout", ["paired", "side_by_side"])
def test_label_maps_keep_their_colours(uploads: Uploads, mode: str, layout: str) -> None:
    maps = [label_map(number).quantize(4) if mode == "P" else label_map(number).convert(mode) for number in range(3)]
    photos = [noise(96, 96, number) for number in range(3)]
    if layout == "paired":
        members = {f"A/{number}.png": saved(photo) for number, photo in enumerate(photos)}
        members |= {f"B/{number}.png": saved(one) for number, one in enumerate(maps)}
    else:
        members = {}
        for number, (photo, one) in enumerate(zip(photos, maps, strict=True)):
            both = Image.new("RGB", (192, 96))
            both.paste(photo, (0, 0))
            both.paste(one.convert("RGB"), (96, 0))
            members[f"{number}.png"] = saved(both)
    asked = {} if layout == "paired" else {"layout": layout}
    body = uploads.take(members, **asked)
    assert "'b' have few colours" in notes(body)
    assert "'a' have few" not in notes(body)
    seen, mixed = uploads.seen(body).b, uploads.seen(uploads.take(members, labels="none", **asked)).b
    assert seen is not None
    assert mixed is not None
    known = {tuple(colour) for one in maps for colour in np.asarray(one.convert("RGB")).reshape(-1, 3).tolist()}
    assert {tuple(colour) for colour in seen.permute(0, 2, 3, 1).reshape(-1, 3).tolist()} == known
    assert len({tuple(colour) for colour in mixed.permute(0, 2, 3, 1).reshape(-1, 3).tolist()}) > len(known)


def test_panoramas_are_told_and_kept_when_asked(uploads: Uploads) -> None:
    wide = Image.fromarray(np.repeat((np.arange(640) // 64 * 25).astype(np.uint8)[None], 64, 0))
    members = {"1.png": saved(wide), "2.png": saved(wide.rotate(90, expand=True))}
    cut = uploads.take(members)
    assert cut["report"]["cut"] == 0.9
    assert "90% of the median picture" in notes(cut)
    tiles = uploads.take(members, fit="tiles")
    seen = uploads.seen(tiles).images
    assert tiles["size"] == 20
    assert seen is not None
    assert [int(tile.unique()) for tile in seen[:10]] == [25 * number for number in range(10)]
    padded = uploads.seen(uploads.take(members, fit="pad")).images
    assert padded is not None
    assert (padded[0, 0, :20] == 255).all()
    assert padded[0, 0, 31, 2] == 0
    assert int(padded[0, 0, 31, 60]) == 225


def test_tiles_keep_labels_and_partners(uploads: Uploads) -> None:
    body = uploads.take({"x/1.png": picture(1, 60, 20), "y/1.png": picture(2, 20, 40)}, fit="tiles")
    seen = uploads.seen(body)
    assert seen.labels is not None
    assert seen.labels.tolist() == [0, 0, 0, 1, 1]
    pairs = uploads.take({"A/1.png": picture(1, 60, 20), "B/1.png": picture(2, 60, 21)}, fit="tiles")
    assert pairs["size"] == 3


@pytest.mark.parametrize("side", [8, 20, 28, 50, 64])
def test_small_squares_train_at_their_own_side(uploads: Uploads, side: int) -> None:
    body = uploads.take({f"{number}.png": picture(number, side, side) for number in range(3)})
    seen = uploads.seen(body).images
    assert body["side"] == side
    assert seen is not None
    assert np.array_equal(seen[0].permute(1, 2, 0), np.asarray(noise(side, side, 0)))


# ---- what is known of a dataset beforehand


def test_hopeless_datasets_are_warned_of(uploads: Uploads) -> None:
    flat = uploads.take({f"{number}.png": saved(Image.new("RGB", (24, 24), "teal")) for number in range(20)})
    assert "nearly constant" in notes(flat)
    assert "All 20 pictures are equal" in notes(flat)
    one = uploads.take({"1.png": picture(1)})
    assert "There is one picture" in notes(one)
    few = uploads.take({"A/1.png": picture(1), **{f"B/{number}.png": picture(number) for number in range(2, 30)}})
    assert "There is one picture in 'a'" in notes(few)
    enough = uploads.take({f"{number}.png": picture(number) for number in range(20)})
    assert notes(enough) == ""


def test_pairs_of_two_shapes_are_told(uploads: Uploads) -> None:
    body = uploads.take({"A/1.png": picture(1, 40, 20), "B/1.png": picture(2, 40, 30)})
    assert "differ in shape" in notes(body)
    wide = uploads.take({f"{number}.png": picture(number, 80, 40) for number in range(2)})
    assert "layout=side_by_side" in notes(wide)


def test_a_dataset_of_an_older_version_trains_to_the_same_bytes(uploads: Uploads) -> None:
    """The index is as that version wrote it, and so are the rules by which files are read."""
    values = np.random.default_rng(1).integers(0, 4096, (16, 16, 1), np.uint16)
    image = noise(16, 16, 1)
    body = uploads.take({"1.png": png(values, 16, GREY), "2.png": saved(image, icc_profile=P3)}, depth="12")
    files = catalog.files(body["name"])
    assert files is not None
    old = b'{"piles":[["1.png","2.png"]],"labels":null,"halved":false}'
    old_index = files.index.with_name("old-index")
    old_index.write_bytes(old)
    spec = catalog.find(body["name"]).info.spec()
    seen = inputs.read(spec, "train", catalog.Files(files.archive, old_index), lambda: None).images
    assert seen is not None
    assert np.array_equal(seen[0, 0], values[..., 0] >> 8)
    assert np.array_equal(seen[1].permute(1, 2, 0), np.asarray(image))
    (kept,) = [path.name for path in get_settings().prepared.iterdir() if "old-index" in path.name]
    assert kept.endswith("old-index-a-16x16x3-1.npy")
    with pytest.raises(DatasetMissing, match="has no test split"):
        inputs.read(spec, "test", catalog.Files(files.archive, old_index), lambda: None)


@pytest.mark.parametrize("field", ["fit", "depth", "labels"])
def test_wrong_wishes_are_named(uploads: Uploads, field: str) -> None:
    reply = uploads.send(classes("cat", "dog"), **{field: "spiral"})
    assert reply.status_code == 422
    assert [error["pointer"] for error in reply.json()["errors"]] == [f"/{field}"]
