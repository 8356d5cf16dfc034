"""The report of an upload agrees with what training reads: layouts, classes, bit depths, colours, shapes, splits."""

import io
import json
import unicodedata
import zipfile
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
from data.readers.builtin import DatasetMissing
from tests.support.files import COLOUR, GREY, P3, bmp, chunk, converted, png, tiff
from tests.support.invalid_zips import unicode_path_field, zip_of_encoded_names
from tests.support.uploaded_datasets import Uploads, notes
from tests.support.zips import classes, noise, picture, saved
from worker.runners import inputs
from worker.runners.shard_writer import ShardExample, ShardWriter


@pytest.fixture(scope="module")
def backend() -> str:
    """Use one database: these tests read nothing from it but the uploaded datasets."""
    return "sqlite"


@pytest.fixture(scope="module")
def uploads(client: TestClient) -> Iterator[Uploads]:
    with closing(Sandbox(1, readable=(get_settings().artifacts,))) as sandbox:
        yield Uploads(client, sandbox)


# ---- folders and names


@pytest.mark.parametrize("split_name", ["val", "test"])
@pytest.mark.parametrize("layout", ["classes", "flat", "paired", "unpaired", "side_by_side"])
def test_a_held_out_split_is_kept_for_evaluation(uploads: Uploads, layout: str, split_name: str) -> None:
    names_in_split = {
        "classes": ["cat/1.png", "cat/2.png", "dog/3.png"], "flat": ["1.png", "2.png"], "side_by_side": ["1.png"],
        "paired": ["A/1.png", "B/1.png"], "unpaired": ["A/{}1.png", "B/{}2.png", "B/{}3.png"],
    }[layout]  # fmt: skip
    names = [f"{split}/{name.format(split)}" for split in ("train", split_name) for name in names_in_split]
    members = {name: picture(seed, 40, 20) for seed, name in enumerate(names)}
    fields = {"layout": layout} if layout == "side_by_side" else {}
    body = uploads.create(members, **fields)
    assert body["report"]["layout"] == layout
    assert body["report"]["held_out"] == len(names_in_split)
    assert f"'{split_name}' is kept for evaluation" in notes(body)
    train, test = uploads.read(body), uploads.read(body, "test")
    for of_train, of_test in ((train.images, test.images), (train.a, test.a), (train.b, test.b)):
        if of_train is not None and of_test is not None:
            assert len(of_train) == len(of_test)
            assert not (of_train == of_test).flatten(1).all(dim=1).any()
    if layout == "classes":
        assert train.labels is not None
        assert test.labels is not None
        assert train.labels.tolist() == test.labels.tolist() == [0, 0, 1]


@pytest.mark.parametrize("encoding", ["cp932", "cp437", "utf-8", "gb18030", "euc_kr"])
@pytest.mark.parametrize("extra", [True, False])
def test_legacy_encodings_of_file_names_are_read(uploads: Uploads, encoding: str, extra: bool) -> None:
    names = {
        "cp932": ("いぬ", "ねこカメラ"), "cp437": ("Café", "Größe"), "utf-8": ("Café", "日本"),
        "gb18030": ("图片", "照片"), "euc_kr": ("강아지", "고양이"),
    }[encoding]  # fmt: skip
    members = []
    for number, name in enumerate((*names, *names)):
        text = f"{name}/{number}.png"
        raw = text.encode(encoding)
        members.append((raw, unicode_path_field(raw, text) if extra else b"", picture(number)))
    body = uploads.create(zip_of_encoded_names(members))
    assert sorted(body["class_names"]) == sorted(names)
    assert ("were read as" in notes(body)) is not extra
    if not extra:
        assert encoding in notes(body)


def test_unicode_path_of_another_name_is_ignored(uploads: Uploads) -> None:
    stale = unicode_path_field(b"another name", "wrong/1.png")
    body = uploads.create(zip_of_encoded_names([(b"cat/1.png", stale, picture(1)), (b"dog/1.png", b"", picture(2))]))
    assert body["class_names"] == ["cat", "dog"]


@pytest.mark.parametrize("marked", [True, False])
def test_zip_with_backslashes_and_folder_entries_is_read(uploads: Uploads, marked: bool) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for folder in ("pets\\", "pets\\cat\\", "pets\\dog\\"):
            info = zipfile.ZipInfo(folder)
            info.external_attr = 0x10 if marked else 0
            archive.writestr(info, b"")
        for number, name in enumerate(["pets\\cat\\1.png", "pets\\dog\\2.png"]):
            archive.writestr(zipfile.ZipInfo(name), picture(number))
    body = uploads.create(out.getvalue())
    assert body["class_names"] == ["cat", "dog"]
    assert body["report"]["ignored"]["total"] == 0


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_composed_and_decomposed_unicode_names_are_one_class(uploads: Uploads, client: TestClient, form: Any) -> None:
    cafe = [unicodedata.normalize(each, "Café") for each in ("NFC", "NFD")]
    body = uploads.create({f"{cafe[0]}/1.png": picture(1), f"{cafe[1]}/1.png": picture(2), "Bar/1.png": picture(3)})
    assert body["class_names"] == ["Bar", "Café"]
    assert body["report"]["classes"]["first"][1]["pictures"] == 2
    assert catalog.class_number(tuple(body["class_names"]), unicodedata.normalize(form, "café")) == 1
    assert catalog.class_number((cafe[1],), cafe[0]) == 0, "as older versions stored it"


def test_labelled_shard_can_be_uploaded_again(uploads: Uploads, tmp_path: Path) -> None:
    names = ("zebra", "ant", "=fox")
    examples = [
        ShardExample(np.asarray(noise(24, 24, number)), label, number) for number, label in enumerate([0, 2, 1, 0, 2])
    ]
    ShardWriter("zip", "images", names).write(tmp_path / "shard.zip", iter(examples), 0, len(examples))
    body = uploads.create((tmp_path / "shard.zip").read_bytes())
    assert tuple(body["class_names"]) == names
    train = uploads.read(body)
    assert train.labels is not None
    assert train.images is not None
    assert train.labels.tolist() == [0, 0, 1, 2, 2]
    assert np.array_equal(train.images[2].permute(1, 2, 0), examples[2].array)


def test_stylegan_zip_has_the_classes_of_its_json(uploads: Uploads) -> None:
    names = [f"0000{number // 2}/img{number:08d}.png" for number in range(4)]
    labels = json.dumps({"labels": [[name, 5 * (number % 2)] for number, name in enumerate(names)]}).encode()
    members = {name: picture(number) for number, name in enumerate(names)}
    body = uploads.create(members | {"dataset.json": labels})
    assert body["class_names"] == ["0", "5"]
    assert uploads.create(members | {"dataset.json": b'{"labels": null}'})["class_names"] == []
    broken = uploads.create(members | {"dataset.json": b"{"})
    assert broken["classes"] == 2
    assert "cannot be read" in notes(broken)


@pytest.mark.parametrize("head", [("file_name", "label"), ("Path", "Class"), ("image", "category")])
def test_classes_are_read_from_a_csv(uploads: Uploads, head: tuple[str, str]) -> None:
    table = csv_text.to_csv(head, [(f"x/{number}.png", "ab"[number % 2]) for number in range(3)])
    body = uploads.create(
        {f"x/{number}.png": picture(number) for number in range(3)} | {"metadata.csv": table.encode()}
    )
    assert (body["class_names"], body["report"]["layout"]) == (["a", "b"], "classes")


def test_class_folder_of_unsupported_formats_is_refused_by_name(uploads: Uploads) -> None:
    refusal = uploads.refusal({"cat/1.png": picture(1), "dog/1.heic": b"x", "dog/2.heic": b"y"})
    assert "'dog'" in refusal
    assert "2 HEIC" in refusal
    assert "'dog'" in uploads.refusal({"cat/1.png": picture(1), "dog/Thumbs.db": b""})


@pytest.mark.parametrize("format_", ["GIF", "AVIF"])
def test_gif_and_avif_pictures_are_read(uploads: Uploads, format_: str) -> None:
    files = {f"{name}/{number}.{format_.lower()}": saved(noise(24, 24, number), format_)
             for name, number in (("cat", 1), ("dog", 2))}  # fmt: skip
    body = uploads.create(files)
    assert body["report"]["formats"] == {format_: 2}


# ---- colours and shapes


@pytest.mark.parametrize("kind", ["grey", "colour", "tiff"])
def test_undeclared_12_bit_depth_is_noted_and_used_on_request(uploads: Uploads, kind: str) -> None:
    values = np.random.default_rng(1).integers(0, 4096, (16, 16, 3 if kind == "colour" else 1), np.uint16)
    values[0, 0] = 4095
    data = tiff(values) if kind == "tiff" else png(values, 16, COLOUR if kind == "colour" else GREY)
    name = f"1.{'tif' if kind == 'tiff' else 'png'}"
    body = uploads.create({name: data})
    assert "values reach 4095 of 65535: looks like 12 bits" in notes(body)
    corrected = uploads.create({name: data}, depth="12")
    images = uploads.read(corrected).images
    assert images is not None
    assert "looks like" not in notes(corrected)
    assert np.array_equal(images[0].permute(1, 2, 0), values >> 4)
    assert "upper 8 of 12" in " ".join(corrected["report"]["transform"]["steps"])


def test_report_names_colour_profiles_and_skipped_metadata(uploads: Uploads) -> None:
    image = noise(24, 24, 1)
    pixels = np.random.default_rng(1).integers(0, 256, (24, 24, 4), np.uint8)
    pixels[..., 3] = 0
    members = {"1.png": saved(image, icc_profile=P3), "2.bmp": bmp(pixels),
               "3.png": png(pixels[..., :3], 8, COLOUR, chunk(b"gAMA", b"\1\2\3"))}  # fmt: skip
    body = uploads.create(members)
    report = body["report"]
    assert report["profiles"] == {"P3-like RGB": 1}
    assert "converted to sRGB" in notes(body)
    assert report["alpha"] == 0
    assert [one["name"] for one in report["skipped"]["first"]] == ["2.bmp", "3.png"]
    assert report["corrupt"]["total"] == 0
    images = uploads.read(body).images
    assert images is not None
    assert np.abs(images[0].permute(1, 2, 0).numpy().astype(int) - converted(np.asarray(image), P3)).max() <= 1
    assert np.array_equal(images[1].permute(1, 2, 0), pixels[..., :3])


def label_map(number: int) -> Image.Image:
    """Return a picture of four colours in stripes, 96 x 96 pixels."""
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
    fields = {} if layout == "paired" else {"layout": layout}
    body = uploads.create(members, **fields)
    assert "'b' have few colours" in notes(body)
    assert "'a' have few" not in notes(body)
    read, interpolated = uploads.read(body).b, uploads.read(uploads.create(members, labels="none", **fields)).b
    assert read is not None
    assert interpolated is not None
    colours = {tuple(colour) for one in maps for colour in np.asarray(one.convert("RGB")).reshape(-1, 3).tolist()}
    assert {tuple(colour) for colour in read.permute(0, 2, 3, 1).reshape(-1, 3).tolist()} == colours
    assert len({tuple(colour) for colour in interpolated.permute(0, 2, 3, 1).reshape(-1, 3).tolist()}) > len(colours)


def test_cropped_panoramas_are_noted_and_kept_by_tiles_or_padding(uploads: Uploads) -> None:
    wide = Image.fromarray(np.repeat((np.arange(640) // 64 * 25).astype(np.uint8)[None], 64, 0))
    members = {"1.png": saved(wide), "2.png": saved(wide.rotate(90, expand=True))}
    cropped = uploads.create(members)
    assert cropped["report"]["cut"] == 0.9
    assert "90% of the median picture" in notes(cropped)
    tiles = uploads.create(members, fit="tiles")
    images = uploads.read(tiles).images
    assert tiles["size"] == 20
    assert images is not None
    assert [int(tile.unique()) for tile in images[:10]] == [25 * number for number in range(10)]
    padded = uploads.read(uploads.create(members, fit="pad")).images
    assert padded is not None
    assert (padded[0, 0, :20] == 255).all()
    assert padded[0, 0, 31, 2] == 0
    assert int(padded[0, 0, 31, 60]) == 225


def test_tiles_keep_labels_and_pairs(uploads: Uploads) -> None:
    body = uploads.create({"x/1.png": picture(1, 60, 20), "y/1.png": picture(2, 20, 40)}, fit="tiles")
    train = uploads.read(body)
    assert train.labels is not None
    assert train.labels.tolist() == [0, 0, 0, 1, 1]
    pairs = uploads.create({"A/1.png": picture(1, 60, 20), "B/1.png": picture(2, 60, 21)}, fit="tiles")
    assert pairs["size"] == 3


@pytest.mark.parametrize("side", [8, 20, 28, 50, 64])
def test_small_squares_train_at_their_own_side(uploads: Uploads, side: int) -> None:
    body = uploads.create({f"{number}.png": picture(number, side, side) for number in range(3)})
    images = uploads.read(body).images
    assert body["side"] == side
    assert images is not None
    assert np.array_equal(images[0].permute(1, 2, 0), np.asarray(noise(side, side, 0)))


# ---- notes and older versions


def test_report_warns_of_constant_equal_and_single_pictures(uploads: Uploads) -> None:
    flat = uploads.create({f"{number}.png": saved(Image.new("RGB", (24, 24), "teal")) for number in range(20)})
    assert "nearly constant" in notes(flat)
    assert "All 20 pictures are equal" in notes(flat)
    one = uploads.create({"1.png": picture(1)})
    assert "There is one picture" in notes(one)
    few = uploads.create({"A/1.png": picture(1), **{f"B/{number}.png": picture(number) for number in range(2, 30)}})
    assert "There is one picture in 'a'" in notes(few)
    enough = uploads.create({f"{number}.png": picture(number) for number in range(20)})
    assert notes(enough) == ""


def test_report_notes_pairs_of_different_shapes(uploads: Uploads) -> None:
    body = uploads.create({"A/1.png": picture(1, 40, 20), "B/1.png": picture(2, 40, 30)})
    assert "differ in shape" in notes(body)
    wide = uploads.create({f"{number}.png": picture(number, 80, 40) for number in range(2)})
    assert "layout=side_by_side" in notes(wide)


def test_dataset_of_an_older_version_is_read_as_that_version_read_it(uploads: Uploads) -> None:
    """The index is as that version wrote it, and so are the rules for reading files."""
    values = np.random.default_rng(1).integers(0, 4096, (16, 16, 1), np.uint16)
    image = noise(16, 16, 1)
    body = uploads.create({"1.png": png(values, 16, GREY), "2.png": saved(image, icc_profile=P3)}, depth="12")
    files = catalog.files(body["name"])
    assert files is not None
    content = b'{"piles":[["1.png","2.png"]],"labels":null,"halved":false}'
    old_index = files.index.with_name("old-index")
    old_index.write_bytes(content)
    spec = catalog.find(body["name"]).info.spec()
    images = inputs.read_data(spec, "train", catalog.DatasetFiles(files.archive, old_index), lambda: None).images
    assert images is not None
    assert np.array_equal(images[0, 0], values[..., 0] >> 8)
    assert np.array_equal(images[1].permute(1, 2, 0), np.asarray(image))
    (prepared,) = [path.name for path in get_settings().prepared.iterdir() if "old-index" in path.name]
    assert prepared.endswith("old-index-a-16x16x3-1.npy")
    with pytest.raises(DatasetMissing, match="has no test split"):
        inputs.read_data(spec, "test", catalog.DatasetFiles(files.archive, old_index), lambda: None)


@pytest.mark.parametrize("field", ["fit", "depth", "labels"])
def test_invalid_reading_option_is_refused_with_a_pointer(uploads: Uploads, field: str) -> None:
    reply = uploads.send(classes("cat", "dog"), **{field: "spiral"})
    assert reply.status_code == 422
    assert [error["pointer"] for error in reply.json()["errors"]] == [f"/{field}"]
