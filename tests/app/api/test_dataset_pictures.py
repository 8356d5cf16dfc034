"""GET /datasets/{name}/pictures: real examples of built-in and uploaded datasets, in every form of /sample."""

import base64
import io
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from starlette.testclient import TestClient

from app.core.settings import get_settings
from app.main import create_app
from app.services.datasets import catalog
from data.readers import examples
from data.readers.base import no_heartbeat
from data.readers.examples import Choice
from data.toy import balanced
from models.spec.data import Unpaired
from models.spec.datasets import DATASETS
from tests.support.mnist import write_small_mnist
from tests.support.pictures import pixels
from tests.support.zips import noise, picture, saved, zipped
from worker.runners.inputs import load_data

Array = NDArray[Any]


@pytest.fixture(scope="module")
def datasets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of datasets that holds a link to a small MNIST elsewhere, and nothing else."""
    elsewhere, folder = tmp_path_factory.mktemp("elsewhere"), tmp_path_factory.mktemp("datasets")
    write_small_mnist(elsewhere / "digits", 40, "")
    (folder / "mnist").symlink_to(elsewhere / "digits")
    return folder


@pytest.fixture(scope="module")
def client(api_home: Path, datasets: Path) -> Iterator[TestClient]:
    settings = get_settings().model_copy(update={"data": datasets, "max_samples": 200})
    with TestClient(create_app(settings), base_url="http://127.0.0.1", raise_server_exceptions=False) as client:
        yield client


def get(client: TestClient, address: str, **headers: str) -> Any:
    reply = client.get(f"/datasets/{address}", headers=headers)
    assert reply.status_code == 200, reply.text
    return reply


def arrays(client: TestClient, name: str, query: str = "") -> Array:
    array: Array = np.load(io.BytesIO(get(client, f"{name}/pictures?seed=3&format=npy&{query}").content))
    return array


def upload(client: TestClient, name: str, members: dict[str, bytes], **fields: str) -> None:
    reply = client.post("/datasets", files={"file": ("x.zip", zipped(members))}, data={"name": name} | fields)
    assert reply.status_code == 201, reply.text


def trained_on(name: str, choice: Choice) -> Array:
    """The same examples as a training's networks see them: with centre crops where crops are random."""
    info = catalog.find(name).info
    spec = info.default_spec()
    data = load_data(spec, "train", no_heartbeat).centre_crop(getattr(spec, "side", 0))
    tensor = next(each for each in (data.images, (data.a, data.b)[choice.domain_number]) if each is not None)
    labels = None if data.labels is None else data.labels.numpy()
    chosen: Array = tensor[examples.rows(choice, len(tensor), labels, info.classes)].numpy()
    return chosen.transpose(0, 2, 3, 1)


def test_a_sheet_of_a_class_with_its_headers(client: TestClient) -> None:
    reply = get(client, "mnist/pictures?class=7&n=4&seed=3")
    assert reply.headers["content-type"] == "image/png"
    assert (reply.headers["x-forger-seed"], reply.headers["x-forger-class"]) == ("3", "7")
    assert (reply.headers["cache-control"], reply.headers["vary"]) == ("no-cache", "Accept")
    spec, data = DATASETS["mnist"].default_spec(), client.app.state.settings.data  # type: ignore[attr-defined]
    expected = np.asarray(examples.read(spec, Choice(4, 3, 7), data, Path("/")))
    sheet = pixels(reply.content)
    assert sheet.shape == (57, 57)
    assert (sheet[:28, :28] == expected[0, ..., 0]).all()
    assert (sheet[29:, 29:] == expected[3, ..., 0]).all()
    assert "text" not in Image.open(io.BytesIO(reply.content)).info, "nothing drew it"
    assert pixels(get(client, "digits/pictures").content).shape == (67, 67), "sixteen, without a word"


def test_each_class_has_a_row(client: TestClient) -> None:
    sheet = pixels(get(client, "digits/pictures?class=each&n=3&seed=3").content)
    assert sheet.shape == (169, 50)
    row = arrays(client, "digits", "class=6&n=3")[..., 0]
    assert (sheet[102:118, :16] == row[0]).all()
    assert (sheet[102:118, 34:] == row[2]).all()


def test_picture_i_is_the_same_whatever_n_is(client: TestClient) -> None:
    assert (arrays(client, "digits", "n=3") == arrays(client, "digits", "n=40")[:3]).all()


def test_json_zip_and_webp_hold_the_pictures_of_the_sheet(client: TestClient) -> None:
    expected = arrays(client, "digits", "n=3")[..., 0]
    body = get(client, "digits/pictures?seed=3&n=3", accept="application/json").json()
    images = body.pop("images")
    assert body == {"dataset": "digits", "seed": 3, "class": None, "domain": None}
    assert (np.stack([pixels(base64.b64decode(image)) for image in images]) == expected).all()
    with zipfile.ZipFile(io.BytesIO(get(client, "digits/pictures?seed=3&n=3&format=zip").content)) as archive:
        assert (np.stack([pixels(archive.read(name)) for name in archive.namelist()]) == expected).all()
    webp = pixels(get(client, "digits/pictures?seed=3&n=1", accept="image/webp").content)
    assert (webp[..., 0] == expected[0]).all()


def test_points_and_strings_are_shown_as_those_of_a_model(client: TestClient) -> None:
    plane = get(client, "ring8/pictures?n=50&seed=3&format=json").json()
    assert np.asarray(plane["points"]).shape == (50, 2)
    assert np.abs(np.linalg.norm(plane["points"], axis=1) - 1).max() < 0.05
    assert pixels(get(client, "ring8/pictures?n=50").content).shape == (256, 256, 3)
    assert np.asarray(get(client, "gaussian1d/pictures?n=5&format=json").json()["points"]).shape == (5, 1)
    assert pixels(get(client, "gaussian1d/pictures?n=5").content).shape == (480, 720, 3)
    assert len(get(client, "dyck/pictures?n=5&seed=3").text.splitlines()) == 5
    assert balanced(arrays(client, "dyck", "n=5")).all()


def test_one_domain_of_two_is_shown(client: TestClient) -> None:
    day, night = (arrays(client, "day2night", f"n=4&domain={domain}") for domain in "ab")
    assert day.mean() > night.mean() + 40
    assert (arrays(client, "day2night", "n=4") == day).all()
    assert get(client, "day2night/pictures?domain=b&n=1&format=json").json()["domain"] == "b"


def test_uploaded_classes_are_shown_as_training_sees_them(client: TestClient) -> None:
    members = {
        f"{pet}/{number}.png": picture(number + first, 40, 50 + number)
        for pet, first in (("çats", 0), ("dogs", 10))
        for number in range(5)
    }
    upload(client, "pets", members)
    shown = arrays(client, "pets", "class=%C3%A7ATS&n=4")
    assert (shown == trained_on("pets", Choice(4, 3, 1))).all(), "ç comes after d"
    assert (arrays(client, "pets", "class=each&n=7") == trained_on("pets", Choice(7, 3, "each"))).all()
    assert get(client, "pets/pictures?class=dogs").headers["x-forger-class"] == "0"


def test_uploaded_photographs_are_shown_as_centre_crops(client: TestClient) -> None:
    members = {
        f"{pile}/{number}.jpg": saved(noise(220, 180, number + first), "JPEG")
        for pile, first in (("A", 0), ("B", 5))
        for number in range(3)
    }
    upload(client, "photographs", members, layout="unpaired")
    spec = catalog.find("photographs").info.default_spec()
    assert isinstance(spec, Unpaired)
    assert (spec.side, spec.load) == (128, 180)
    for domain in "ab":
        shown = arrays(client, "photographs", f"n=3&domain={domain}")
        assert (shown == trained_on("photographs", Choice(3, 3, None, domain))).all()


def test_pairs_are_shown_side_by_side_with_one_seed(client: TestClient) -> None:
    members = {f"{pile}/{n}.png": saved(noise(32, 32, n)) for pile in ("day", "dusk") for n in range(6)}
    upload(client, "twins", members, layout="paired")
    assert (arrays(client, "twins", "domain=a") == arrays(client, "twins", "domain=b")).all()


def test_tiles_are_shown_as_training_sees_them(client: TestClient) -> None:
    upload(client, "strips", {f"{n}.png": saved(noise(150, 32, n)) for n in range(4)}, fit="tiles")
    assert (arrays(client, "strips", "n=9") == trained_on("strips", Choice(9, 3))).all()


def test_pictures_are_shown_at_the_size_of_a_model(client: TestClient) -> None:
    assert arrays(client, "digits", "n=3&side=32&channels=3").shape == (3, 32, 32, 3)
    info = catalog.find("digits").info
    spec = info.spec().model_copy(update={"side": 32, "channels": 3})
    trained = load_data(spec, "train", no_heartbeat).images
    assert trained is not None
    chosen = examples.rows(Choice(3, 3), len(trained))
    assert (arrays(client, "digits", "n=3&side=32&channels=3").transpose(0, 3, 1, 2) == trained[chosen].numpy()).all()
    upload(client, "sized", {f"{n}.png": saved(noise(40, 40, n)) for n in range(3)})
    assert arrays(client, "sized", "n=2&side=16").shape[1:3] == (16, 16)


def test_an_unchanged_reply_is_not_sent_again(client: TestClient) -> None:
    address = "digits/pictures?seed=3&n=2"
    first = get(client, address)
    again = client.get(f"/datasets/{address}", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    for other in ("digits/pictures?seed=4&n=2", "digits/pictures?seed=3&n=3", "digits/pictures?seed=3&n=2&format=webp"):
        assert get(client, other).headers["etag"] != first.headers["etag"]


def test_without_a_seed_one_is_drawn_and_named(client: TestClient) -> None:
    first, second = get(client, "digits/pictures"), get(client, "digits/pictures")
    assert first.headers["x-forger-seed"] != second.headers["x-forger-seed"]
    assert get(client, f"digits/pictures?seed={first.headers['x-forger-seed']}").content == first.content


@pytest.mark.parametrize(
    ("address", "status", "code", "pointer", "word"),
    [
        ("digit/pictures", 404, "no_dataset", None, "Did you mean 'digits'?"),
        ("usps/pictures", 409, "dataset_missing", None, "set FORGER_DATA"),
        ("fashion_mnist/pictures", 409, "dataset_missing", None, "four idx files of Fashion-MNIST"),
        ("digits/pictures?class=10", 422, "no_such_class", "/class", "0 to 9"),
        ("ring8/pictures?class=1", 422, "no_such_class", "/class", "leave `class` out"),
        ("digits/pictures?domain=b", 422, "no_such_domain", "/domain", "leave `domain` out"),
        ("ring8/pictures?side=32", 422, "no_such_size", "/side", "leave `side` out"),
        ("day2night/pictures?channels=1", 422, "no_such_size", "/channels", "leave `channels` out"),
        ("digits/pictures?side=4", 422, "invalid", "/side", "side"),
        ("digits/pictures?n=201", 422, "too_much", "/n", "max_samples"),
        ("digits/pictures?class=each&n=21", 422, "too_much", "/n", "210 pictures"),
        ("digits/pictures?format=txt", 422, "no_such_format", "/format", "request png"),
        ("digits/pictures?domain=c", 422, "invalid", "/domain", "domain"),
        ("digits/pictures?scale=2", 422, "invalid", "/scale", "scale"),
    ],
)
def test_what_cannot_be_shown_is_one_sentence(
    client: TestClient, address: str, status: int, code: str, pointer: str | None, word: str
) -> None:
    reply = client.get(f"/datasets/{address}")
    assert (reply.status_code, reply.json()["code"]) == (status, code)
    assert [error["pointer"] for error in reply.json().get("errors", [])] == ([pointer] if pointer else [])
    assert word in reply.text


def test_another_media_type_is_refused(client: TestClient) -> None:
    assert client.get("/datasets/digits/pictures", headers={"Accept": "image/gif"}).status_code == 406
    assert client.get("/datasets/digits/pictures", headers={"Accept": "text/plain"}).status_code == 406


def test_lost_and_damaged_files_of_an_upload_are_named(client: TestClient) -> None:
    members = {f"{n}.png": picture(n) for n in range(4)}
    upload(client, "torn", members)
    files = catalog.files("torn")
    assert files is not None
    whole = files.archive.read_bytes()
    content = bytearray(whole)
    at = whole.index(b"IDAT")
    content[at : at + 40] = bytes(40)
    files.archive.chmod(0o600)
    files.archive.write_bytes(content)
    reply = client.get("/datasets/torn/pictures")
    assert (reply.status_code, reply.json()["code"]) == (409, "dataset_missing")
    assert "Upload it again under another name." in reply.json()["detail"]
    shutil.move(files.archive, files.archive.with_suffix(".lost"))
    assert client.get("/datasets/torn/pictures").status_code == 409
    shutil.move(files.archive.with_suffix(".lost"), files.archive)
    files.archive.write_bytes(whole)
    assert get(client, "torn/pictures").status_code == 200
