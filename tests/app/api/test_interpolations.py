"""GET /interpolate with real exports: the ends are samples, the frames between them lie on the path."""

import base64
import io
import zipfile
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from starlette.testclient import TestClient

from forger import picture_recipe
from forger.wire import VERSION
from tests.app.api.conftest import Publish, publish_all
from tests.support.png_chunks import chunks
from tests.support.problems import assert_problem

Array = NDArray[Any]


@pytest.fixture(scope="module", autouse=True)
def models(publish: Publish) -> None:
    publish_all(publish, "points", "brackets", "codes", "night", "clothes", "plain", "digits")


def get(client: TestClient, query: str, path: str = "/interpolate", **headers: str) -> Any:
    reply = client.get(f"{path}?{query}", headers=headers)
    assert reply.status_code == 200, reply.text
    return reply


def walk(client: TestClient, query: str) -> dict[str, Any]:
    body: dict[str, Any] = get(client, f"{query}&format=json").json()
    return body


def samples(client: TestClient, query: str) -> list[str]:
    images: list[str] = get(client, f"{query}&format=json", "/sample").json()["images"]
    return [pixels(image) for image in images]


def pixels(image: str | bytes) -> Any:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(image) if isinstance(image, str) else image))).tolist()


def pointers(client: TestClient, query: str, status: int = 422) -> list[str]:
    return [error["pointer"] for error in assert_problem(client.get(f"/interpolate?{query}"), status)["errors"]]


def test_ends_are_the_samples_of_the_seeds(client: TestClient) -> None:
    body = walk(client, "model=plain&from=1&to=5.3&frames=7")
    assert body["waypoints"] == ["1.0", "5.3"]
    frames = [pixels(image) for image in body["images"]]
    assert frames[0] == samples(client, "model=plain&seed=1")[0]
    assert frames[-1] == samples(client, "model=plain&seed=5&n=4")[3]
    assert len({str(frame) for frame in frames}) == 7
    assert walk(client, "model=plain&from=1&to=5.3&frames=7") == body


def test_slerp_keeps_the_length_of_latents_and_linear_shortens_it(client: TestClient) -> None:
    round_, straight = (
        np.array(walk(client, f"model=plain&from=1&to=2&frames=5&mode={mode}")["latents"])
        for mode in ("slerp", "linear")
    )
    assert (round_[[0, 4]] == straight[[0, 4]]).all()
    assert np.allclose(straight[2], (straight[0] + straight[4]) / 2, atol=1e-6)
    lengths, short = np.linalg.norm(round_, axis=1), np.linalg.norm(straight, axis=1)
    assert min(lengths[0], lengths[4]) * 0.99 < lengths[2] < max(lengths[0], lengths[4]) * 1.01
    assert short[2] < 0.85 * lengths[2]
    directions = round_ / lengths[:, None]
    angles = np.arccos((directions[1:] * directions[:-1]).sum(1))
    assert angles.max() - angles.min() < 0.1 * angles.mean(), "even steps"


def test_way_leads_through_every_waypoint(client: TestClient) -> None:
    body = walk(client, "model=plain&from=1&via=2&via=3&to=4&frames=10")
    stops = [samples(client, f"model=plain&seed={seed}")[0] for seed in (1, 2, 3, 4)]
    assert [pixels(body["images"][frame]) for frame in (0, 3, 6, 9)] == stops


def test_loop_returns_to_its_beginning_without_repeating_it(client: TestClient) -> None:
    body = walk(client, "model=plain&from=1&to=2&frames=8&loop=true")
    latents = np.array(body["latents"])
    assert (latents[4] == walk(client, "model=plain&from=2&to=1&frames=8")["latents"][0]).all()
    assert np.allclose(latents[1], latents[7])
    assert len(np.unique(latents, axis=0)) == 5


def test_classes_are_mixed_linearly(client: TestClient) -> None:
    body = walk(client, "model=digits&from=1:3&to=1:7&frames=5")
    weights = np.array(body["class_weights"])
    assert np.allclose(weights[:, 3], [1, 0.75, 0.5, 0.25, 0])
    assert np.allclose(weights[:, 7], [0, 0.25, 0.5, 0.75, 1])
    assert len(np.unique(body["latents"], axis=0)) == 1, "one seed"
    assert body["class"] is None
    frames = [pixels(image) for image in body["images"]]
    assert frames[0] == samples(client, "model=digits&class=3&seed=1")[0]
    assert frames[4] == samples(client, "model=digits&class=7&seed=1")[0]
    assert len({str(frame) for frame in frames}) == 5
    assert walk(client, "from=1&to=2:Sandal&frames=2")["model"] == "clothes@1", "the newest with that class"
    named = walk(client, "model=clothes&from=1:Sandal&to=2&class=bag&frames=2")
    assert named["waypoints"] == ["1.0:5", "2.0:8"]


def test_samples_without_a_class_have_the_class_that_sample_draws(client: TestClient) -> None:
    body = walk(client, "model=digits&from=1.2&to=2&frames=3")
    assert pixels(body["images"][0]) == samples(client, "model=digits&seed=1&n=3")[2]
    seven = walk(client, "model=digits&from=1&to=2&frames=3&class=7")
    assert seven["class"] == 7
    assert pixels(seven["images"][2]) == samples(client, "model=digits&seed=2&class=7")[0]


def test_frames_are_generated_again_from_the_reply(client: TestClient) -> None:
    body = walk(client, "model=digits&from=1:3&to=2:7&frames=4&truncation=0.7&temperature=0.9")
    sent = {name: body[name] for name in ("model", "latents", "class_weights")} | {"format": "json"}
    again = client.post("/sample", json=sent).json()["images"]
    assert again == body["images"], "with the same texts"
    recipe = picture_recipe(base64.b64decode(again[1]))
    assert recipe is not None
    assert recipe["latent"] == body["latents"][1]


@pytest.mark.parametrize("format_", ["png", "webp", "apng", "zip", "json"])
def test_every_format_holds_the_same_frames(client: TestClient, format_: str) -> None:
    query = "model=digits&from=1:3&to=2:7&frames=6&scale=2"
    frames = np.array([pixels(image) for image in walk(client, query)["images"]])
    assert frames.shape == (6, 32, 32)
    reply = get(client, f"{query}&format={format_}")
    assert get(client, f"{query}&format={format_}").content == reply.content
    match format_:
        case "png":
            strip = np.array(pixels(reply.content))
            assert strip.shape == (32, 6 * 34 - 2)
            assert (strip[:, 34:66] == frames[1]).all()
        case "zip":
            with zipfile.ZipFile(io.BytesIO(reply.content)) as archive:
                assert [pixels(archive.read(name)) for name in sorted(archive.namelist())] == frames.tolist()
        case "webp" | "apng":
            assert reply.headers["content-type"] == f"image/{format_}"
            animation = Image.open(io.BytesIO(reply.content))
            assert animation.n_frames == 6  # type: ignore[attr-defined]
            assert animation.info["loop"] == 0
            for number, frame in enumerate(frames):
                animation.seek(number)
                assert (np.asarray(animation.convert("L")) == frame).all()
            assert animation.info["duration"] == 83


def test_strip_and_apng_say_what_drew_them(client: TestClient) -> None:
    for format_ in ("png", "apng"):
        data = get(client, f"model=plain&from=1&to=2&frames=3&loop=true&truncation=0.5&format={format_}").content
        assert picture_recipe(data) == {
            "model": "plain@1", "waypoints": ["1.0", "2.0"], "frames": 3, "mode": "slerp", "loop": True,
            "temperature": 1.0, "truncation": 0.5, "version": VERSION,
        }  # fmt: skip
        assert [kind for kind, _ in chunks(data)][:2] == [b"IHDR", b"tEXt"]


def test_accept_chooses_the_format_and_pinned_models_are_cached(client: TestClient) -> None:
    query = "model=plain@1&from=1&to=2&frames=3"
    animation = get(client, query, accept="image/webp")
    assert animation.headers["content-type"] == "image/webp"
    assert "immutable" in animation.headers["cache-control"]
    etag = animation.headers["etag"]
    assert client.get(f"/interpolate?{query}&format=webp", headers={"if-none-match": etag}).status_code == 304
    assert get(client, "model=plain&from=1&to=2").headers["cache-control"] == "no-cache"
    assert client.get(f"/interpolate?{query}", headers={"accept": "text/html"}).status_code == 406


def test_points_and_strings_walk_too(client: TestClient) -> None:
    body = walk(client, "model=points&from=1&to=2&frames=30")
    assert np.array(body["points"]).shape == (30, 2)
    assert body["images"] is None
    assert np.array(pixels(get(client, "model=points&from=1&to=2&frames=30").content)).shape == (256, 256, 3)
    assert len(walk(client, "model=brackets&from=1&to=2&frames=4")["strings"]) == 4
    for name in ("points", "brackets"):
        for format_ in ("webp", "apng"):
            assert pointers(client, f"model={name}&from=1&to=2&format={format_}") == ["/format"]


def test_wrong_parameters_are_refused_at_their_place(client: TestClient) -> None:
    for wrong in ("x", "", "-1", "1.", "1.x", "01", "1:", "1.5.2", "nan", "9" * 19, "1" * 30):
        assert pointers(client, f"model=plain&from={wrong}&to=2") == ["/from"], wrong
        assert pointers(client, f"model=plain&from=1&to={wrong}") == ["/to"], wrong
        assert pointers(client, f"model=plain&from=1&to=2&via=3&via={wrong}") == ["/via/1"], wrong
    assert pointers(client, "model=plain") == ["/from", "/to"]
    for frames in ("1", "0", "-1", "241", "x", "nan"):
        assert pointers(client, f"model=plain&from=1&to=2&frames={frames}") == ["/frames"]
    many = "".join("&via=3" for _ in range(15))
    assert pointers(client, f"model=plain&from=1&to=2{many}") == ["/via"]
    assert pointers(client, "model=plain&from=1&to=2&mode=cubic") == ["/mode"]
    assert pointers(client, "model=plain&from=1&to=2&fps=0") == ["/fps"]
    assert pointers(client, "model=plain&from=1&to=2&frames=240&scale=16") == ["/scale"], "of a strip"
    assert pointers(client, "model=plain&from=1&to=2:3") == ["/to"], "no classes"
    assert pointers(client, "model=plain&from=1&to=2&class=3") == ["/class"]
    assert pointers(client, "model=digits&from=1:10&to=2") == ["/from"]
    assert pointers(client, "model=digits&from=1&to=2&class=each") == ["/class"]
    for name in ("night", "codes"):
        assert pointers(client, f"model={name}&from=1&to=2") == ["/model"]


def test_animation_with_too_many_pixels_is_refused(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.api.replies.frames.MAX_ANIMATION_PIXELS", 5000)
    query = "model=plain&from=1&to=2&frames=20"
    assert pointers(client, f"{query}&format=webp") == ["/frames"]
    get(client, f"{query}&format=png")
