"""/datasets: uploads become datasets, or are refused with a clear sentence and leave nothing behind."""

import asyncio
import io
import stat
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from app.api.requests import uploads
from app.core.settings import get_settings
from app.core.store import Store
from app.main import create_app
from data.archive import ArchiveIndex
from data.uploads import report as intake_report
from forger.cli.datasets import findings
from forger.schemas.dataset_report import Report, Span, Transform
from tests.app.api.conftest import Publish
from tests.support.invalid_pictures import png_declaring
from tests.support.invalid_zips import zip_of_zeros, zip_with_duplicate_name, zip_with_member
from tests.support.problems import assert_problem
from tests.support.zips import classes, noise, picture, saved, zipped

Body = dict[str, Any]
Members = dict[str, bytes]


@pytest.fixture(scope="module")
def client(api_home: Path) -> Iterator[TestClient]:
    limits = {
        "max_dataset_bytes": 3_000_000,
        "max_dataset_unpacked_bytes": 200_000_000,
        "max_dataset_members": 100,
        "max_pixels": 100_000,
    }
    app = create_app(get_settings().model_copy(update=limits))
    with TestClient(app, base_url="http://127.0.0.1", raise_server_exceptions=False) as client:
        yield client


def upload(client: TestClient, data: bytes | Members, name: str, **fields: str) -> Any:
    file = data if isinstance(data, bytes) else zipped(data)
    return client.post("/datasets", files={"file": ("../x.zip", file)}, data={"name": name} | fields)


def create(client: TestClient, data: bytes | Members, name: str, **fields: str) -> Body:
    """Upload a valid dataset; check the reply and return its body."""
    reply = upload(client, data, name, **fields)
    assert reply.status_code == 201, reply.text
    assert reply.headers["location"] == f"/datasets/{name}"
    body: dict[str, Any] = reply.json()
    assert client.get(f"/datasets/{name}").json() == body
    return body


def dataset_names(client: TestClient) -> list[str]:
    return [dataset["name"] for dataset in client.get("/datasets").json()["data"]]


@pytest.fixture(scope="module")
def pets(client: TestClient) -> Body:
    return create(client, {"pets/README.md": b"#", **classes("pets/s10", "pets/s2", width=40, height=50)}, "pets")


def test_class_folders_become_a_labelled_dataset(client: TestClient, pets: Body) -> None:
    body = pets
    assert (body["kind"], body["uploaded"], body["size"]) == ("images", True, 6)
    assert (body["side"], body["channels"]) == (32, 3)
    assert (body["classes"], body["class_names"]) == (2, ["s2", "s10"])
    report = body["report"]
    assert report["layout"] == "classes"
    assert report["classes"] == {
        "total": 2, "first": [{"name": "s2", "pictures": 3}, {"name": "s10", "pictures": 3}],
    }  # fmt: skip
    assert report["ignored"] == {"total": 1, "first": ["pets/README.md"]}
    assert body["links"] == {"self": "/datasets/pets", "sheet": "/datasets/pets/sheet"}
    assert "pets" in dataset_names(client)


@pytest.fixture(scope="module")
def mixed(client: TestClient) -> Body:
    deep = Image.fromarray(np.random.default_rng(5).integers(0, 65536, (70, 30), np.uint16))
    clear = noise(64, 64, 6)
    clear.putalpha(128)
    exif = Image.Exif()
    exif[0x0112] = 6
    members = {
        "cat/deep.png": saved(deep),
        "cat/clear.png": saved(clear),
        "cat/turned.jpg": saved(noise(80, 40, 7), "JPEG", exif=exif),
        "cat/grey.pgm": saved(noise(64, 64, 8, "L"), "PPM"),
        "dog/colour.webp": saved(noise(64, 64, 9), "WEBP", lossless=True),
        "dog/same.bmp": saved(noise(64, 64, 9), "BMP"),
        "dog/flat.png": saved(Image.new("RGB", (64, 64), "teal")),
        "dog/text.png": b"this is a text",
        "dog/cut.png": picture(1, 64, 64)[:200],
        "dog/large.png": saved(Image.new("L", (400, 251))),
    }
    return create(client, members, "mixed")


def test_report_counts_pictures_formats_duplicates_and_corrupt_files(mixed: Body) -> None:
    report = mixed["report"]
    assert (report["pictures"], report["left_out"]) == (7, 3)
    assert (report["grey"], report["colour"], report["alpha"], report["sixteen_bit"]) == (2, 5, 1, 1)
    assert report["formats"] == {"BMP": 1, "JPEG": 1, "PNG": 3, "PPM": 1, "WEBP": 1}
    assert report["width"] == {"least": 30, "median": 64.0, "most": 64}
    assert report["height"] == {"least": 64, "median": 64.0, "most": 80}
    assert (report["enlarged"], report["balance"]) == (2, 0.75)
    assert report["near_constant"] == {"total": 1, "first": ["dog/flat.png"]}
    assert report["duplicates"] == {"total": 1, "first": [["dog/colour.webp", "dog/same.bmp"]]}
    corrupt = {item["name"]: item["reason"] for item in report["corrupt"]["first"]}
    assert report["corrupt"]["total"] == len(corrupt) == 3
    assert "not a picture of a supported format" in corrupt["dog/text.png"]
    assert "cut short" in corrupt["dog/cut.png"]
    assert "max_pixels" in corrupt["dog/large.png"]
    transform = report["transform"]
    assert (transform["side"], transform["channels"], transform["filter"]) == (64, 3, "bicubic")
    assert "resize to 64 x 64" in transform["steps"][-1]


@pytest.fixture(scope="module")
def grey(client: TestClient) -> Body:
    members = {f"{n}.png": saved(noise(20, 20, n, "L").convert("RGB")) for n in range(3)}
    return create(client, members, "grey")


def test_grey_pictures_in_rgb_files_become_a_grey_dataset(grey: Body) -> None:
    assert (grey["channels"], grey["side"], grey["classes"]) == (1, 20, 0)
    assert grey["report"]["grey"] == 3


def test_two_folders_become_an_unpaired_or_a_paired_dataset(client: TestClient) -> None:
    unpaired = create(client, {"A/1.png": picture(1), "A/2.png": picture(2), "B/3.png": picture(3)}, "piles")
    assert (unpaired["kind"], unpaired["size"]) == ("unpaired", 3)
    assert unpaired["report"]["piles"] == {"a": 2, "b": 1}
    paired = create(client, {f"{pile}/{n}.png": picture(n) for pile in "AB" for n in range(3)}, "pairs")
    assert (paired["kind"], paired["size"]) == ("paired", 3)
    halves = create(client, {"1.png": picture(1, 80, 40)}, "halves", layout="side_by_side")
    assert (halves["kind"], halves["side"]) == ("paired", 40)
    assert "left half" in " ".join(halves["report"]["transform"]["steps"])


def test_report_names_the_folder_of_each_pile(client: TestClient) -> None:
    members = {"a_dusk/1.png": picture(1), "a_dusk/2.png": picture(2, 9, 9), "b_day/3.png": picture(3)}
    report = create(client, members, "skies", layout="unpaired")["report"]
    assert report["folders"] == {"a": "a_dusk", "b": "b_day"}
    shown = findings(Report.model_validate(report))
    assert shown["piles"] == "a: a_dusk (2), b: b_day (1)"
    assert f"1 smaller than {report['transform']['side']} px" in str(shown["of these"])
    paired = create(client, {f"{pile}/{n}.png": picture(n) for pile in ("day", "dusk") for n in range(2)}, "twins",
                  layout="paired")  # fmt: skip
    assert paired["report"]["folders"] == {"a": "day", "b": "dusk"}
    report_without_folders = Report.model_validate(report | {"folders": {}})
    assert findings(report_without_folders)["piles"] == "a: 2, b: 1"


def test_reply_type_has_every_field_of_the_report() -> None:
    for stored_type, reply_type in (
        (intake_report.Report, Report),
        (intake_report.Transform, Transform),
        (intake_report.Span, Span),
    ):
        assert [field.name for field in fields(stored_type)] == list(reply_type.model_fields)


def test_long_lists_of_a_report_are_cut_and_counted(client: TestClient) -> None:
    report = create(client, {f"{n}.png": picture(0) if n < 2 else b"x" for n in range(80)}, "bad")["report"]
    assert report["corrupt"]["total"] == 78
    assert len(report["corrupt"]["first"]) == 50


@pytest.mark.usefixtures("pets")
def test_the_sheet_shows_pictures_as_training_sees_them(client: TestClient) -> None:
    reply = client.get("/datasets/pets/sheet")
    assert reply.status_code == 200
    assert reply.headers["content-type"] == "image/png"
    sheet = np.asarray(Image.open(io.BytesIO(reply.content)))
    cell = 64 + 2
    assert sheet.shape == (2 * cell - 2, 8 * cell - 2, 3)
    first = noise(40, 50, 3).crop((0, 5, 40, 45)).resize((32, 32), Image.Resampling.BICUBIC)
    assert np.array_equal(sheet[:64:2, :64:2], np.asarray(first))
    assert (sheet[:64, 3 * cell :][:, :64] == 0).all()
    again = client.get("/datasets/pets/sheet", headers={"if-none-match": reply.headers["etag"]})
    assert again.status_code == 304
    assert_problem(client.get("/datasets/digits/sheet"), 404)
    assert_problem(client.get("/datasets/none/sheet"), 404)


@pytest.mark.usefixtures("mixed")
def test_archive_index_lists_the_used_files_in_a_fixed_order(client: TestClient) -> None:
    from app.services.datasets import catalog

    files = catalog.files("mixed")
    assert files is not None
    index = ArchiveIndex.from_bytes(files.index.read_bytes())
    assert index.train.domains == (
        ("cat/clear.png", "cat/deep.png", "cat/grey.pgm", "cat/turned.jpg",
         "dog/colour.webp", "dog/flat.png", "dog/same.bmp"),
    )  # fmt: skip
    assert index.train.labels == (0, 0, 0, 0, 1, 1, 1)


@pytest.mark.usefixtures("pets")
def test_existing_dataset_name_is_refused(client: TestClient) -> None:
    for name in ("pets", "digits"):
        body = assert_problem(upload(client, classes("a", "b"), name), 409)
        assert body["code"] == "dataset_exists"
        assert body["errors"][0]["pointer"] == "/name"


# ---- refusals


VALID = zipped(classes("cat", "dog"))
LINK = stat.S_IFLNK | 0o777
REFUSALS: dict[str, tuple[bytes | Callable[[], bytes], int, str, str]] = {
    "an empty file": (b"", 415, "unsupported_media", "not a zip"),
    "a text": (b"a text", 415, "unsupported_media", "not a zip"),
    "a picture": (picture(), 415, "unsupported_media", "not a zip"),
    "cut short": (VALID[:-30], 422, "unreadable_archive", "cut short"),
    "a damaged directory": (VALID.replace(b"PK\1\2", b"PK\1\3"), 422, "unreadable_archive", "damaged"),
    "no members": (zipped({}), 422, "no_pictures", "empty"),
    "no pictures": (zipped({"a.txt": b"x", "b/c.psd": b"8BPS"}), 422, "no_pictures", "no pictures"),
    "no readable picture": (zipped({"a.png": b"x"}), 422, "no_pictures", "'a.png'"),
    "a class without pictures": (zipped({**classes("cat"), "dog/1.png": b"x"}), 422, "no_pictures", "the class 'dog'"),
    "a pile without pictures": (zipped({"A/1.png": b"x", "B/2.png": picture()}), 422, "no_pictures", "'A/1.png'"),
    "a decompression bomb": (zipped({"a.png": png_declaring(13_000, 13_000)}), 422, "no_pictures", "13000 x 13000"),
    "a parent path": (zip_with_member("../evil.png", picture()), 422, "unsafe_archive", "'../evil.png'"),
    "a hidden parent path": (zip_with_member("a/../../evil.png"), 422, "unsafe_archive", "evil.png"),
    "a parent path in backslashes": (zip_with_member("..\\evil.png"), 422, "unsafe_archive", "evil.png"),
    "an absolute name": (zip_with_member("/etc/passwd.png"), 422, "unsafe_archive", "'/etc/passwd.png'"),
    "a drive letter": (zip_with_member("C:\\evil.png"), 422, "unsafe_archive", "evil.png"),
    "a link": (zip_with_member("link.png", b"/etc/passwd", mode=LINK), 422, "unsafe_archive", "is a link"),
    "a device": (zip_with_member("dev.png", mode=stat.S_IFCHR), 422, "unsafe_archive", "device"),
    "encrypted": (
        zip_with_member("secret.png", picture(), flags=1),
        422,
        "unsafe_archive",
        "'secret.png' is encrypted",
    ),
    "LZMA compression": (zipped(classes("a", "b"), zipfile.ZIP_LZMA), 422, "unsafe_archive", "packed by a method"),
    "a long name": (zip_with_member("x" * 600 + ".png"), 422, "unsafe_archive", "512 characters"),
    "a duplicate name": (zip_with_duplicate_name(), 422, "unsafe_archive", "two members called 'cat/1.png'"),
    "a zip inside": (zip_with_member("more.zip", VALID), 422, "unclear_layout", "'more.zip' is an archive"),
    "too many members": (zipped({f"{n}.png": b"" for n in range(101)}), 422, "archive_limit", "max_dataset_members"),
    "a gigabyte": (lambda: zip_of_zeros("big.bmp", 1 << 30), 422, "archive_limit", "max_dataset_unpacked_bytes"),
    "a high compression ratio": (lambda: zip_of_zeros("big.bmp", 150_000_000), 422, "archive_limit", "times its size"),
    "too many bytes": (b"PK" + bytes(3_000_001), 413, "too_large", "max_dataset_bytes"),
    "far too many bytes": (b"PK" + bytes(4_000_000), 413, "too_large", "limit is"),
    "pictures beside folders": (zipped({"1.png": picture(), **classes("a")}), 422, "unclear_layout", "layout=flat"),
}


def stored_state(client: TestClient) -> tuple[list[str], list[Path]]:
    home = get_settings().home
    return dataset_names(client), sorted(
        path for path in home.rglob("*") if path.is_file() and "forger.db" not in path.name
    )


@pytest.mark.sampled(quick=12)
@pytest.mark.parametrize("case", REFUSALS)
def test_invalid_archive_is_refused_and_leaves_nothing_behind(client: TestClient, case: str) -> None:
    content, status, code, phrase = REFUSALS[case]
    data = content() if callable(content) else content
    before = stored_state(client)
    body = assert_problem(upload(client, data, "refused"), status)
    assert (body["code"], phrase in body["detail"]) == (code, True), body
    assert stored_state(client) == before


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"name": "Pets"}, "/name"),
        ({"name": "../x"}, "/name"),
        ({"name": "x" * 64}, "/name"),
        ({}, "/name"),
        ({"name": "x", "layout": "spiral"}, "/layout"),
        ({"name": "x", "colour": "blue"}, "/colour"),
    ],
)
def test_invalid_form_field_is_refused_with_a_pointer(client: TestClient, fields: dict[str, str], pointer: str) -> None:
    before = stored_state(client)
    body = assert_problem(client.post("/datasets", files={"file": VALID + b""}, data=fields), 422)
    assert [error["pointer"] for error in body["errors"]] == [pointer]
    assert stored_state(client) == before


def test_malformed_upload_bodies_are_refused(client: TestClient) -> None:
    before = stored_state(client)
    for files in ({"other": VALID}, {"file": (None, "x")}):
        missing = assert_problem(client.post("/datasets", files=files, data={"name": "x"}), 422)
        assert [error["pointer"] for error in missing["errors"]] == ["/file"]
    assert_problem(client.post("/datasets", json={"name": "x"}), 415)
    assert_problem(client.post("/datasets", files=[("file", VALID), ("file", VALID)], data={"name": "x"}), 400)
    head = {"content-type": "multipart/form-data; boundary=x"}
    cut = b'--x\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\n' + VALID
    assert_problem(client.post("/datasets", content=cut, headers=head), 422)
    assert_problem(client.post("/datasets", content=b"--y", headers=head), 400)
    assert stored_state(client) == before


def test_received_files_are_removed_off_the_event_loop(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Removing a large file takes a while."""
    close_unrecorded, closed_on_loop = uploads._DiskParser.close, list[bool]()

    def record_and_close(parser: uploads._DiskParser) -> None:
        closed_on_loop.append(asyncio._get_running_loop() is not None)
        close_unrecorded(parser)

    monkeypatch.setattr(uploads._DiskParser, "close", record_and_close)
    assert_problem(upload(client, b"a text", "refused"), 415)
    assert closed_on_loop == [False]


@pytest.mark.slow
def test_picture_that_needs_too_much_memory_is_left_out(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the sandboxed reader too little memory for the largest picture."""
    from app.core.sandbox.parent import Sandbox
    from app.services.datasets import intake

    monkeypatch.setattr(intake, "Sandbox", lambda children, readable: Sandbox(children, 330 << 20, readable))
    settings = get_settings().model_copy(update={"max_pixels": 50_000_000})
    members = {**classes("a", "b", each=4), "b/big.png": saved(Image.new("RGB", (6000, 6000), "red"))}
    with TestClient(create_app(settings), base_url="http://127.0.0.1") as little_memory:
        report = create(little_memory, members, "tight")["report"]
    assert report["pictures"] == 8
    (corrupt,) = report["corrupt"]["first"]
    assert corrupt["name"] == "b/big.png"
    assert "memory" in corrupt["reason"]


def test_upload_that_takes_too_long_to_read_is_refused(api_home: Path) -> None:
    settings = get_settings().model_copy(update={"max_intake_seconds": 0})
    with TestClient(create_app(settings), base_url="http://127.0.0.1") as short_limit:
        body = assert_problem(upload(short_limit, VALID, "late"), 422)
    assert (body["code"], "max_intake_seconds" in body["detail"]) == ("archive_limit", True)


# ---- use and removal


def test_dataset_used_by_a_job_cannot_be_deleted(client: TestClient, publish: Publish) -> None:
    create(client, classes("cat", "dog", width=20), "used")
    request = {"recipe": "cdcgan", "dataset": "used", "budget": {"steps": 3}}
    job = client.post("/jobs", json=request)
    assert job.status_code == 201, job.text
    assert job.json()["recipe"]["data"] == {
        "kind": "images", "dataset": "used", "side": 20, "channels": 3, "classes": 2,
    }  # fmt: skip
    body = assert_problem(client.delete("/datasets/used"), 409)
    assert (body["code"], job.json()["id"] in body["detail"]) == ("dataset_in_use", True)
    client.post(f"/jobs/{job.json()['id']}/cancel")
    assert_problem(client.delete("/datasets/used"), 409)
    assert client.delete(f"/jobs/{job.json()['id']}").status_code == 204
    assert client.delete("/datasets/used").status_code == 204
    assert_problem(client.get("/datasets/used"), 404)
    assert_problem(client.delete("/datasets/used"), 404)


def test_dataset_that_a_model_was_trained_on_cannot_be_deleted(client: TestClient, publish: Publish) -> None:
    create(client, classes("cat", "7", width=20), "learned")
    model = publish("cdcgan", "learned", name="animals")
    job = client.get("/models/animals").json()["versions"][0]["job"]
    assert client.delete(f"/jobs/{job}").status_code == 204
    body = assert_problem(client.delete("/datasets/learned"), 409)
    assert (body["code"], model in body["detail"]) == ("dataset_in_use", True)


def test_classes_are_sampled_by_the_names_of_their_folders(client: TestClient, publish: Publish) -> None:
    create(client, classes("cat", "7", width=20), "named")
    publish("cdcgan", "named", name="cats")

    def sample(class_name: str) -> bytes:
        reply = client.get("/sample", params={"model": "cats", "class": class_name, "seed": 1})
        assert reply.status_code == 200, reply.text
        return bytes(reply.content)

    assert sample("cat") == sample("CAT") == sample("1") != sample("0")
    assert sample("7") == sample("0"), "the class called 7 is the first"
    assert "(7 and cat)" in assert_problem(client.get("/sample?model=cats&class=dog"), 422)["detail"]


def test_built_in_dataset_cannot_be_deleted(client: TestClient) -> None:
    assert assert_problem(client.delete("/datasets/digits"), 409)["code"] == "dataset_built_in"
    assert_problem(client.delete("/datasets/none"), 404)


@pytest.mark.usefixtures("pets", "grey")
def test_job_that_does_not_fit_an_uploaded_dataset_is_refused_with_a_pointer(client: TestClient) -> None:
    def refusal(**body: Any) -> tuple[str, str]:
        errors = assert_problem(client.post("/jobs", json=body), 422)["errors"]
        return errors[0]["pointer"], errors[0]["message"]

    pointer, message = refusal(recipe="dcgan", dataset="cats")
    assert (pointer, "pets" in message, "digits" in message) == ("/dataset", True, True)
    assert refusal(recipe="cyclegan", dataset="pets")[0] == "/overrides/game"
    assert refusal(recipe="cdcgan", dataset="pets", overrides={"data": {"classes": 3}})[0] == "/overrides/data/classes"
    assert refusal(recipe="dcgan", dataset="pets", overrides={"data": {"channels": 2}})[0] == "/overrides/data/channels"
    assert refusal(recipe="cdcgan", dataset="grey")[0] == "/overrides/game/conditional"


def test_equal_archives_under_two_names_share_their_file(client: TestClient) -> None:
    data = zipped(classes("x", "y"))
    first, second = create(client, data, "one"), create(client, data, "two")
    assert first["report"]["archive_sha256"] == second["report"]["archive_sha256"]
    assert client.delete("/datasets/one").status_code == 204
    assert Store(get_settings().artifacts).path(second["report"]["archive_sha256"]).is_file()
