"""POST /datasets/{name}/nearest: the training pictures nearest to a picture, of built-in and uploaded datasets."""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from app.core.settings import get_settings
from app.main import create_app
from app.services.datasets import catalog
from app.services.datasets import nearest as service
from data.readers.base import no_heartbeat
from models.spec.data import Images
from tests.support.pictures import pixels
from tests.support.zips import noise, picture, saved, zipped
from worker.runners.inputs import load_data


@pytest.fixture(scope="module")
def client(api_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """A service without files of datasets."""
    settings = get_settings().model_copy(update={"data": tmp_path_factory.mktemp("datasets")})
    with TestClient(create_app(settings), base_url="http://127.0.0.1", raise_server_exceptions=False) as client:
        yield client


def real(client: TestClient, query: str) -> bytes:
    return client.get(f"/datasets/{query}").content


def search(client: TestClient, name: str, content: bytes, **fields: str) -> Any:
    return client.post(f"/datasets/{name}/nearest", files={"file": ("x.png", content)}, data=fields)


def found(client: TestClient, name: str, content: bytes, **fields: str) -> Any:
    reply = search(client, name, content, **fields)
    assert reply.status_code == 200, reply.text
    return reply.json()


def test_training_picture_is_nearest_to_itself_at_distance_0(client: TestClient) -> None:
    content = real(client, "digits/pictures?n=1&seed=5&class=3")
    reply = found(client, "digits", content, n="3")
    first, *others = reply["data"]
    assert (first["distance"], first["class"]) == (0, 3)
    assert (pixels(base64.b64decode(first["image"])) == pixels(content)).all()
    assert 0 < others[0]["distance"] <= others[1]["distance"]
    assert (reply["dataset"], reply["side"], reply["channels"], reply["measure"]) == ("digits", 16, 1, "rms")
    assert reply["searched"] == 1797
    assert reply["typical"]["n"] == 50
    assert 0 < reply["typical"]["median"] < 0.3


def test_distance_is_that_to_the_pictures_of_a_training_at_that_size(client: TestClient) -> None:
    content = saved(noise(24, 24, 1))
    reply = found(client, "digits", content, channels="3")
    spec = catalog.find("digits").info.spec()
    assert isinstance(spec, Images)
    trained = load_data(spec.model_copy(update={"side": 24, "channels": 3}), "train", no_heartbeat).images
    assert trained is not None
    query = pixels(content).transpose(2, 0, 1) / 255
    distances = np.sqrt(((trained.numpy() / 255 - query) ** 2).mean(axis=(1, 2, 3)))
    (first,) = reply["data"]
    assert first["row"] == distances.argmin()
    assert first["distance"] == pytest.approx(distances.min())


def test_upload_is_searched_once_a_training_has_prepared_it(client: TestClient) -> None:
    members = {f"{kind}/{n}.png": picture(n + 9 * (kind == "b"), 40, 40) for kind in "ab" for n in range(4)}
    reply = client.post(
        "/datasets", files={"file": ("x.zip", zipped(members))}, data={"name": "pets", "layout": "classes"}
    )
    assert reply.status_code == 201, reply.text
    content = real(client, "pets/pictures?n=1&seed=2&class=b")
    early = search(client, "pets", content)
    assert (early.status_code, early.json()["code"]) == (409, "not_prepared")
    load_data(catalog.find("pets").info.spec(), "train", no_heartbeat)
    (first,) = found(client, "pets", content)["data"]
    assert (first["distance"], first["class"]) == (0, 1)
    assert (pixels(base64.b64decode(first["image"])) == pixels(content)).all()


@pytest.mark.parametrize(
    ("name", "content", "fields", "status", "code", "word"),
    [
        ("digit", saved(noise(16, 16)), {}, 404, "no_dataset", "'digits'"),
        ("ring8", saved(noise(16, 16)), {}, 422, "no_pictures", "no pictures"),
        ("day2night", saved(noise(64, 64)), {}, 422, "no_pictures", "one domain"),
        ("digits", saved(noise(20, 16)), {}, 422, "not_square", "20 x 16"),
        ("digits", saved(noise(520, 520)), {}, 422, "not_square", "8 to 512"),
        ("digits", b"no picture", {}, 415, "unsupported_media", ""),
        ("digits", saved(noise(16, 16)), {"n": "21"}, 422, "invalid", "20"),
        ("usps", saved(noise(16, 16)), {}, 409, "dataset_missing", "FORGER_DATA"),
    ],
)
def test_what_cannot_be_compared_is_one_sentence(
    client: TestClient,
    name: str,
    content: bytes,
    fields: dict[str, str],
    status: int,
    code: str,
    word: str,
) -> None:
    reply = search(client, name, content, **fields)
    assert (reply.status_code, reply.json()["code"]) == (status, code), reply.text
    assert word in reply.text


def test_dataset_that_is_too_large_at_that_size_is_refused(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "MAX_SEARCHED_BYTES", 1797 * 16 * 16)
    assert search(client, "digits", saved(noise(16, 16))).status_code == 200
    reply = search(client, "digits", saved(noise(17, 17)))
    assert (reply.status_code, reply.json()["code"]) == (422, "too_much")
    assert "searched_bytes" in reply.json()["detail"]
