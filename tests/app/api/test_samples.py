"""GET /sample with real exports."""

import base64
import io
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from starlette.testclient import TestClient

from app.core.settings import get_settings
from app.main import create_app
from tests.app.api.conftest import Publish
from tests.support.jobs import make_job
from tests.support.png_chunks import without_text

Array = NDArray[Any]


@pytest.fixture(scope="module", autouse=True)
def models(publish: Publish) -> dict[str, str]:
    versions = {
        name: publish(family, dataset, name=name)
        for name, family, dataset in (
            ("points", "gan", "ring8"),
            ("line", "gan", "gaussian1d"),
            ("brackets", "gumbel_gan", "dyck"),
            ("codes", "autoencoder", "digits"),
            ("variational", "vae", "digits"),
            ("night", "cyclegan", "day2night"),
            ("clothes", "cdcgan", "fashion_mnist"),
            ("plain", "dcgan", "digits"),
            ("digits", "cdcgan", "digits"),
        )
    }
    assert versions["digits"] == "digits@1"
    return versions


def picture(content: bytes) -> Array:
    return np.asarray(Image.open(io.BytesIO(content)))


def get(client: TestClient, query: str, **headers: str) -> Any:
    reply = client.get(f"/sample?{query}", headers=headers)
    assert reply.status_code == 200, reply.text
    return reply


def test_single_sample_is_a_png_with_model_seed_and_class_headers(client: TestClient) -> None:
    reply = get(client, "class=7&seed=1")
    assert reply.headers["content-type"] == "image/png"
    assert picture(reply.content).shape == (16, 16)
    assert reply.headers["x-forger-model"] == "digits@1"
    assert reply.headers["x-forger-seed"] == "1"
    assert reply.headers["x-forger-class"] == "7"


def test_a_grid_holds_the_pictures_row_by_row(client: TestClient) -> None:
    grid = picture(get(client, "class=7&seed=1&n=100").content)
    assert grid.shape == (169, 169)
    singles = get(client, "class=7&seed=1&n=100&format=npy")
    pictures = np.load(io.BytesIO(singles.content))
    assert pictures.shape == (100, 16, 16, 1)
    assert (grid[17:33, 34:50] == pictures[12, :, :, 0]).all()
    assert (grid[16::17] == 128).all()
    assert (grid[:, 16::17] == 128).all()
    assert picture(get(client, "n=5&model=plain").content).shape == (33, 50)


def test_class_each_draws_a_row_for_each_class(client: TestClient) -> None:
    grid = picture(get(client, "class=each&n=4&seed=3").content)
    assert grid.shape == (169, 67)
    row = picture(get(client, "class=6&n=4&seed=3").content)
    first, second, between = row[:16], row[17:], np.full((16, 1), 128)
    assert (grid[102:118] == np.hstack([first, between, second])).all()


def test_picture_i_is_the_same_whatever_n_is(client: TestClient) -> None:
    few, many = (np.load(io.BytesIO(get(client, f"seed=5&n={n}&format=npy").content)) for n in (3, 40))
    assert (few == many[:3]).all()


def test_the_same_seed_gives_the_same_bytes_under_load(client: TestClient) -> None:
    queries = [f"class={i % 10}&seed={i % 3}&n={1 + i % 4}" for i in range(12)]
    queries += [
        f"model={name}&seed={i}&n={1 + 7 * i}" for i in range(4) for name in ("plain", "clothes", "points", "brackets")
    ]
    alone = [get(client, query).content for query in queries]
    with ThreadPoolExecutor(12) as crowd:
        together = list(crowd.map(lambda query: get(client, query).content, queries * 2))
    assert together == alone * 2


def test_without_a_seed_a_random_one_is_used_and_reported(client: TestClient) -> None:
    first, second = get(client, "class=7"), get(client, "class=7")
    assert first.headers["x-forger-seed"] != second.headers["x-forger-seed"]
    assert get(client, f"class=7&seed={first.headers['x-forger-seed']}").content == first.content


def test_every_output_format_holds_the_same_pictures(client: TestClient) -> None:
    query = "class=7&seed=1&n=3&scale=2"
    grid = picture(get(client, query).content)
    assert grid.shape == (66, 66)
    webp = get(client, query, accept="image/webp")
    assert webp.headers["content-type"] == "image/webp"
    assert (picture(webp.content)[..., 0] == grid).all()
    body = get(client, query, accept="application/json;q=0.9, image/webp;q=0.5").json()
    assert {"model": body["model"], "seed": body["seed"], "class": body["class"]} == {
        "model": "digits@1", "seed": 1, "class": 7,
    }  # fmt: skip
    pictures = [picture(base64.b64decode(image)) for image in body["images"]]
    assert (grid[:32, :32] == pictures[0]).all()
    with zipfile.ZipFile(io.BytesIO(get(client, query, accept="application/zip").content)) as archive:
        assert archive.namelist() == ["0000.png", "0001.png", "0002.png"]
        assert (picture(archive.read("0002.png")) == pictures[2]).all()
    for format_ in ("png", "webp", "json", "npy", "zip"):
        replies = {get(client, f"{query}&format={format_}").content for _ in range(2)}
        assert len(replies) == 1


def test_points_come_as_json_png_or_npy(client: TestClient) -> None:
    body = get(client, "model=points&n=50&seed=1&format=json").json()
    assert body.keys() == {"model", "seed", "class", "points"}
    assert np.asarray(body["points"]).shape == (50, 2)
    assert picture(get(client, "model=points&n=50&seed=1").content).shape == (256, 256, 3)
    assert np.load(io.BytesIO(get(client, "model=points&n=50&format=npy").content)).shape == (50, 2)


def test_points_on_a_line_come_as_json_npy_or_png(client: TestClient) -> None:
    points = np.asarray(get(client, "model=line&n=50&seed=1&format=json").json()["points"])
    assert points.shape == (50, 1)
    assert (np.load(io.BytesIO(get(client, "model=line&n=50&seed=1&format=npy").content)) == points).all()
    assert picture(get(client, "model=line&n=50&seed=1").content).shape == (480, 720, 3)
    assert get(client, "model=line&n=1&seed=1").headers["content-type"] == "image/png"
    assert client.get("/sample?model=line&scale=2").json()["errors"][0]["pointer"] == "/scale"


def test_strings_come_as_text_json_npy_png_or_zip(client: TestClient) -> None:
    reply = get(client, "model=brackets&n=5&seed=1")
    assert reply.headers["content-type"] == "text/plain; charset=utf-8"
    strings = reply.text.splitlines()
    assert [len(string) for string in strings] == [12] * 5
    assert set("".join(strings)) <= set("()[]")
    body = get(client, "model=brackets&n=5&seed=1", accept="application/json").json()
    assert body == {"model": "brackets@1", "seed": 1, "class": None, "strings": strings}
    symbols = np.load(io.BytesIO(get(client, "model=brackets&n=5&seed=1&format=npy").content))
    assert symbols.dtype == np.int64
    assert ["".join("()[]"[symbol] for symbol in row) for row in symbols] == strings
    png = picture(get(client, "model=brackets&n=5&seed=1", accept="image/png").content)
    assert picture(get(client, "model=brackets&n=5&seed=1&scale=2&format=webp").content).shape == (
        2 * png.shape[0], 2 * png.shape[1], 3,
    )  # fmt: skip
    with zipfile.ZipFile(io.BytesIO(get(client, "model=brackets&n=5&seed=1&format=zip").content)) as archive:
        assert archive.read("strings.txt").decode() == reply.text
        assert (picture(archive.read("strings.png")) == png).all()
    few = get(client, "model=brackets&n=2&seed=1").text.splitlines()
    assert few == strings[:2]


def test_pictures_as_text_are_refused(client: TestClient) -> None:
    assert client.get("/sample?model=digits", headers={"accept": "text/plain"}).status_code == 406
    error = client.get("/sample?model=digits&format=txt").json()["errors"][0]
    assert error["pointer"] == "/format"
    assert "request png" in error["message"]


def test_class_name_selects_the_class_and_the_model_that_has_it(client: TestClient) -> None:
    by_name = get(client, "class=sneaker&seed=1")
    assert by_name.headers["x-forger-model"] == "clothes@1"
    assert by_name.headers["x-forger-class"] == "7"
    assert by_name.content == get(client, "model=clothes&class=7&seed=1").content


def test_low_temperature_narrows_the_spread_of_points(client: TestClient) -> None:
    def spread(temperature: float) -> float:
        body = get(client, f"model=points&n=200&seed=1&format=json&temperature={temperature}").json()
        return float(np.asarray(body["points"]).std(axis=0).max())

    assert spread(1e-9) < 1e-6 < spread(1)


def test_only_pinned_samples_are_cached_and_etags_are_honoured(client: TestClient) -> None:
    pinned = get(client, "class=7&seed=1&model=digits@1")
    assert "immutable" in pinned.headers["cache-control"]
    assert pinned.headers["vary"] == "Accept"
    for query in ("class=7&seed=1&model=digits", "class=7&model=digits@1", "class=7&seed=1"):
        assert get(client, query).headers["cache-control"] == "no-cache"
    again = client.get("/sample?class=7&seed=1", headers={"if-none-match": pinned.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert get(client, "class=7&seed=1&scale=2").headers["etag"] != pinned.headers["etag"]


def test_etag_differs_between_models(client: TestClient, publish: Publish) -> None:
    """The headers name the model, so equal pictures of two models are different replies."""
    twin = publish("cdcgan", "digits", name="twin")
    first, second = (get(client, f"class=7&seed=1&model={model}") for model in ("digits@1", twin))
    client.delete("/models/twin")
    assert without_text(first.content) == without_text(second.content)
    assert first.headers["etag"] != second.headers["etag"]


def test_variational_autoencoder_can_be_sampled(client: TestClient) -> None:
    pictures = np.load(io.BytesIO(get(client, "model=variational&n=3&seed=1&format=npy").content))
    assert pictures.shape == (3, 16, 16, 1)
    assert (pictures[0] != pictures[1]).any()


@pytest.mark.parametrize(
    ("query", "pointer", "word"),
    [
        ("class=10", "/class", "0 to 9"),
        ("class=dog", "/class", "0 to 9"),
        ("class=-1", "/class", "0 to 9"),
        ("class=boots&model=clothes", "/class", "Sneaker"),
        ("class=1&model=plain", "/class", "no classes"),
        ("class=each&model=points", "/class", "no classes"),
        ("model=night", "/model", "draws nothing from noise"),
        ("model=codes", "/model", "draws nothing from noise"),
        ("model=variational&class=1", "/class", "no classes"),
        ("n=0", "/n", "1"),
        ("n=1001", "/n", "1000"),
        ("class=each&n=101", "/n", "1000"),
        ("class=each&n=999999999999999", "/n", "1000"),
        ("n=1000&scale=16", "/scale", "1000000"),
        ("seed=-1", "/seed", "0"),
        ("seed=9223372036854775808", "/seed", "9223372036854775808"),
        ("temperature=0", "/temperature", "0"),
        ("temperature=nan", "/temperature", "finite"),
        ("scale=17", "/scale", "16"),
        ("format=gif", "/format", "png"),
        ("model=../etc", "/model", "name@version"),
        ("clas=7", "/clas", "did you mean 'class'"),
    ],
)
def test_refusals_name_the_field_and_the_limit(client: TestClient, query: str, pointer: str, word: str) -> None:
    reply = client.get(f"/sample?{query}")
    assert reply.status_code == 422, reply.text
    error = reply.json()["errors"][0]
    assert error["pointer"] == pointer
    assert word in error["message"]


def test_overload_is_refused_with_429_and_passes(api_home: Path) -> None:
    settings = get_settings().model_copy(update={"queue_pictures": 1})
    with TestClient(create_app(settings), base_url="http://127.0.0.1") as client:
        with ThreadPoolExecutor(8) as crowd:
            replies = list(crowd.map(lambda seed: client.get(f"/sample?n=1000&seed={seed}"), range(8)))
        assert {reply.status_code for reply in replies} == {200, 429}
        refused = next(reply for reply in replies if reply.status_code == 429)
        assert int(refused.headers["retry-after"]) >= 1
        assert refused.headers["content-type"] == "application/problem+json"
        assert "queue_pictures" in refused.json()["detail"]
        assert client.get("/sample").status_code == 200


def test_unknown_model_replies_404_and_a_model_in_training_409(client: TestClient) -> None:
    for model in ("nobody", "digits@2"):
        reply = client.get(f"/sample?model={model}")
        assert reply.status_code == 404
        assert "There is no" in reply.json()["detail"]
        assert "digits" in reply.json()["detail"]
    job = make_job("wgan", "mnist")
    reply = client.get("/sample?model=wgan-mnist")
    assert reply.status_code == 409
    assert job.id in reply.json()["detail"]


def test_new_version_is_served_at_once_and_the_old_one_stays(client: TestClient, publish: Publish) -> None:
    before = get(client, "model=plain@1&seed=1").content
    assert publish("dcgan", "digits", name="plain", seed=2) == "plain@2"
    assert without_text(get(client, "model=plain@2&seed=1").content) != without_text(before)
    assert get(client, "model=plain&seed=1").headers["x-forger-model"] == "plain@2"
    assert get(client, "model=plain@1&seed=1").content == before
