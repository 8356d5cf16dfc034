"""A dataset of 16 bits: its pictures, and the samples and translations of its models, have 16 bits a sample."""

import base64
import io
import json
import zipfile
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageSequence
from starlette.testclient import TestClient

from app.api.replies import comparison_sheet
from app.core.sandbox.parent import Sandbox
from app.core.settings import get_settings
from app.services.datasets import catalog
from data.batches import as_levels, scaled
from models.spec.resolve import RecipeRefused, resolve
from tests.app.api.conftest import Publish
from tests.support.deep_pictures import RAMP, Array, deep_noise, deep_png, samples_of
from tests.support.uploaded_datasets import Uploads
from tests.support.zips import classes, noise, saved, zipped

SMALL = {"generator": {"width": 4, "blocks": 1}}


@pytest.fixture(scope="module")
def backend() -> str:
    """Use one database: the rows are those of other datasets."""
    return "sqlite"


@pytest.fixture(scope="module")
def uploads(client: TestClient) -> Iterator[Uploads]:
    with closing(Sandbox(1, readable=(get_settings().artifacts,))) as sandbox:
        yield Uploads(client, sandbox)


def smooth(side: int, channels: int, seed: int) -> Array:
    """Draw a smooth picture uint16 of many levels."""
    phase = np.random.default_rng(seed).random((3, channels)) * 6
    y, x = np.mgrid[0:side, 0:side][..., None] / side
    return np.asarray(32767 + 30000 * np.sin(phase[0] * x + phase[1] * y + phase[2]), np.uint16)


@pytest.fixture(scope="module")
def grey(uploads: Uploads) -> dict[str, Any]:
    return uploads.create({f"{n}.png": deep_png(smooth(16, 1, n)) for n in range(20)}, bits="16")


@pytest.fixture(scope="module")
def domains(uploads: Uploads) -> dict[str, Any]:
    members = {f"{domain}/{n}.png": deep_png(smooth(32, 3, n)) for domain in "AB" for n in range(20)}
    return uploads.create(members, bits="16", layout="paired")


@pytest.fixture(scope="module")
def colour(uploads: Uploads) -> dict[str, Any]:
    return uploads.create({f"{n}.png": deep_png(smooth(32, 3, n)) for n in range(20)}, bits="16")


@pytest.fixture(scope="module")
def models(publish: Publish, grey: dict[str, Any], colour: dict[str, Any], domains: dict[str, Any]) -> None:
    publish("dcgan", grey["name"], name="grey", generator={"width": 8}, critic={"width": 8})
    publish("vae", grey["name"], name="encoded")
    publish("cyclegan", domains["name"], name="both", **SMALL)
    publish("pix2pix", domains["name"], name="painted", generator={"width": 4}, critic={"width": 4})
    publish("srgan", colour["name"], name="larger", generator={"width": 4, "blocks": 1}, critic={"width": 4})
    publish(
        "inpaint", colour["name"], name="filled", generator={"width": 4}, critic={"width": 4}, game={"mask": "centre"}
    )
    publish("cyclegan", "day2night", name="eight", **SMALL)


def get(client: TestClient, path: str, **headers: str) -> bytes:
    reply = client.get(path, headers=headers)
    assert reply.status_code == 200, reply.text
    return reply.content


def translate(client: TestClient, data: bytes, model: str, accept: str = "image/png", **fields: str) -> Any:
    files = {"file": ("x.png", data)}
    reply = client.post("/translate", files=files, data={"model": model} | fields, headers={"Accept": accept})
    assert reply.status_code == 200, reply.text
    return reply


def translated(client: TestClient, data: bytes, model: str, **fields: str) -> Array:
    return samples_of(translate(client, data, model, **fields).content)


# ---- datasets


def test_every_level_survives_intake_and_batch(uploads: Uploads) -> None:
    body = uploads.create({"a.png": deep_png(RAMP), "b.png": deep_png(RAMP[::-1])}, bits="16")
    assert (body["bits"], catalog.find(body["name"]).info.bits) == (16, 16)
    stored = uploads.read(body).images
    assert stored is not None
    exact = resized_ramp(body["side"])
    assert stored.shape[-1] == body["side"] == 64
    assert np.abs(stored[0, 0].numpy().astype(float) - exact).max() <= 0.51
    assert np.array_equal(as_levels(scaled(stored), 16).numpy(), stored.numpy())


def resized_ramp(side: int) -> Array:
    """Return the ramp at a side, by Pillow's filter in float."""
    small = Image.fromarray(RAMP[..., 0].astype(np.float32)).resize((side, side), Image.Resampling.BICUBIC)
    return np.asarray(small).clip(0, 65535)


def test_pictures_of_the_right_side_are_stored_and_shown_level_by_level(
    client: TestClient, uploads: Uploads, grey: dict[str, Any]
) -> None:
    stored = uploads.read(grey).images
    assert stored is not None
    assert np.array_equal(stored[3].permute(1, 2, 0).numpy(), smooth(16, 1, 3))
    shown = np.load(io.BytesIO(get(client, f"/datasets/{grey['name']}/pictures?n=20&seed=1&format=npy")))
    assert shown.dtype == np.uint16
    assert {each.tobytes() for each in shown} == {smooth(16, 1, n).tobytes() for n in range(20)}
    with zipfile.ZipFile(
        io.BytesIO(get(client, f"/datasets/{grey['name']}/pictures?n=20&seed=1&format=zip"))
    ) as archive:
        files = [samples_of(archive.read(name)) for name in archive.namelist()]
    assert np.array_equal(np.stack(files), shown)


def test_contact_sheet_has_8_bits(client: TestClient, grey: dict[str, Any]) -> None:
    assert samples_of(get(client, f"/datasets/{grey['name']}/sheet")).dtype == np.uint8


def test_nearest_picture_is_found_at_its_exact_distance(client: TestClient, grey: dict[str, Any]) -> None:
    client.get(f"/datasets/{grey['name']}/pictures?n=1")
    changed = smooth(16, 1, 4)
    changed[0, 0] += 160
    for query, distance in ((smooth(16, 1, 4), 0), (changed, 10 / 65535)):
        reply = client.post(f"/datasets/{grey['name']}/nearest", files={"file": ("x.png", deep_png(query))})
        assert reply.status_code == 200, reply.text
        found = reply.json()["data"][0]
        assert found["distance"] == pytest.approx(distance, abs=1e-12)
        assert np.array_equal(samples_of(base64.b64decode(found["image"])), smooth(16, 1, 4))


def test_dataset_of_8_bits_says_nothing_about_bits(client: TestClient, uploads: Uploads) -> None:
    body = uploads.create(classes("a", "b"))
    assert "bits" not in body
    assert body == {**client.get(f"/datasets/{body['name']}").json()}
    listed = client.get("/datasets").json()["data"]
    assert all("bits" not in each for each in listed if each["name"] in ("digits", body["name"]))
    assert "bits" not in resolve("dcgan", dataset="digits", seed=1)[1].model_dump(mode="json")["data"]


def test_pictures_of_8_and_16_bits_may_be_mixed(uploads: Uploads) -> None:
    eight_bits = noise(16, 16, 1, "L")
    body = uploads.create({"a.png": saved(eight_bits), "b.png": deep_png(smooth(16, 1, 1))}, bits="16")
    stored = uploads.read(body).images
    assert stored is not None
    assert np.array_equal(stored[0, 0].numpy(), np.asarray(eight_bits).astype(np.uint16) * 257)
    assert body["report"]["sixteen_bit"] == 1


@pytest.mark.parametrize("bits", ["12", "32", "sixteen", ""])
def test_other_bits_are_refused(client: TestClient, bits: str) -> None:
    before = client.get("/datasets").json()
    files = {"file": ("x.zip", zipped(classes("a", "b")))}
    reply = client.post("/datasets", files=files, data={"name": "odd", "bits": bits})
    assert reply.status_code == 422
    assert reply.json()["errors"][0]["pointer"] == "/bits"
    assert client.get("/datasets").json() == before


@pytest.mark.parametrize("bits", [8, 16])
def test_recipe_whose_bits_are_not_those_of_its_dataset_is_refused(grey: dict[str, Any], bits: int) -> None:
    dataset = grey["name"] if bits == 8 else "digits"
    with pytest.raises(RecipeRefused) as refused:
        resolve("dcgan", dataset=dataset, seed=1, overrides={"data": {"bits": bits}}, datasets=catalog.all_datasets())
    assert refused.value.refusals[0].pointer == "/overrides/data/bits"
    assert f"have {24 - bits} bits, not {bits}" in refused.value.refusals[0].message


# ---- samples


@pytest.mark.usefixtures("models")
def test_sample_is_a_png_of_16_bits_with_more_levels_than_8_bits_have(client: TestClient) -> None:
    pixels = samples_of(get(client, "/sample?model=grey&n=16&seed=1"))
    assert pixels.dtype == np.uint16
    assert pixels.shape == (67, 67, 1)
    assert len(np.unique(pixels)) > 1000
    assert (pixels[16::17] == 32768).all()


@pytest.mark.usefixtures("models")
def test_every_format_of_a_sample_holds_the_same_levels(client: TestClient) -> None:
    query = "/sample?model=grey&n=3&seed=1"
    array = np.load(io.BytesIO(get(client, f"{query}&format=npy")))
    assert (array.dtype, array.shape) == (np.uint16, (3, 16, 16, 1))
    singles = client.get(f"{query}&format=json").json()["images"]
    assert np.array_equal(np.stack([samples_of(base64.b64decode(each)) for each in singles]), array)
    with zipfile.ZipFile(io.BytesIO(get(client, f"{query}&format=zip"))) as archive:
        files = [samples_of(archive.read(name)) for name in archive.namelist()]
    assert np.array_equal(np.stack(files), array)
    enlarged = samples_of(get(client, "/sample?model=grey&n=1&seed=1&scale=3"))
    assert np.array_equal(enlarged, array[0].repeat(3, axis=0).repeat(3, axis=1))


@pytest.mark.usefixtures("models")
def test_webp_of_a_sample_has_its_levels_rounded_to_8_bits(client: TestClient) -> None:
    shown = Image.open(io.BytesIO(get(client, "/sample?model=grey&seed=1&format=webp"))).convert("L")
    exact = samples_of(get(client, "/sample?model=grey&seed=1"))[..., 0] / 257
    assert np.abs(np.asarray(shown) - exact).max() <= 0.5


def test_comparison_draws_a_model_of_16_bits_in_8() -> None:
    recipe = resolve("dcgan", dataset="digits", seed=1)[1]
    assert np.asarray(comparison_sheet.row(recipe, deep_noise(16, 16)[None])).dtype == np.uint8
    assert np.asarray(comparison_sheet.row(recipe, deep_noise(16, 16, 3)[None])).dtype == np.uint8


# ---- translations


@pytest.mark.usefixtures("models")
@pytest.mark.parametrize(("model", "factor"), [("both", 1), ("painted", 1), ("larger", 2)])
def test_translation_of_16_bits_reads_and_returns_all_of_them(client: TestClient, model: str, factor: int) -> None:
    picture = smooth(32, 3, 99)
    output = translated(client, deep_png(picture), model)
    assert output.dtype == np.uint16
    assert output.shape == (32 * factor, 32 * factor, 3)
    assert len(np.unique(output)) > 512
    rounded = (picture // 257 * 257).astype(np.uint16)
    assert not np.array_equal(translated(client, deep_png(rounded), model), output), "lower bits reach the network"


@pytest.mark.usefixtures("models")
def test_picture_of_8_bits_translates_as_the_same_picture_of_16(client: TestClient) -> None:
    image = noise(40, 33)
    deep = np.asarray(image).astype(np.uint16) * 257
    assert np.array_equal(translated(client, saved(image), "both"), translated(client, deep_png(deep), "both"))


@pytest.mark.usefixtures("models")
@pytest.mark.parametrize(("model", "factor"), [("both", 1), ("larger", 2)])
def test_alpha_of_16_bits_comes_back(client: TestClient, model: str, factor: int) -> None:
    alpha = np.linspace(0, 65535, 40 * 33).astype(np.uint16).reshape(33, 40, 1)
    output = translated(client, deep_png(np.concatenate([deep_noise(40, 33, 3), alpha], axis=2)), model)
    assert output.shape == (33 * factor, 40 * factor, 4)
    if factor == 1:
        assert np.array_equal(output[..., 3:], alpha)
    else:
        assert len(np.unique(output[..., 3])) > 1000


@pytest.mark.usefixtures("models")
def test_filling_a_hole_keeps_all_other_levels(client: TestClient) -> None:
    picture = deep_noise(32, 32, 3)
    alpha = np.full((32, 32, 1), 65535, np.uint16)
    alpha[8:20, 8:20] = 32767  # below half, also where 8 bits would not tell
    alpha[24:, 24:] = 32768
    output = translated(client, deep_png(np.concatenate([picture, alpha], axis=2)), "filled")
    kept = alpha[..., 0] > 32767
    assert output.shape == (32, 32, 3)
    assert np.array_equal(output[kept], picture[kept])
    assert not np.array_equal(output[~kept], picture[~kept])
    whole = translated(client, deep_png(picture), "filled")
    changed = (whole != picture).any(axis=2)
    assert 0 < changed.sum() <= 32 * 32 / 2


@pytest.mark.usefixtures("models")
@pytest.mark.parametrize("accept", ["image/jpeg", "image/webp"])
def test_jpeg_and_webp_of_a_translation_have_8_bits(client: TestClient, accept: str) -> None:
    data = deep_png(np.concatenate([smooth(32, 3, 1), np.full((32, 32, 1), 40000, np.uint16)], axis=2))
    shown = Image.open(io.BytesIO(translate(client, data, "both", accept, quality="95").content))
    assert shown.size == (32, 32)


@pytest.mark.usefixtures("models")
def test_model_of_8_bits_answers_a_picture_of_16_bits_in_8(client: TestClient) -> None:
    assert translated(client, deep_png(smooth(32, 3, 1)), "eight").dtype == np.uint8


# ---- latents and other formats


@pytest.mark.usefixtures("models")
def test_features_of_a_deep_model_see_all_bits(client: TestClient) -> None:
    picture = smooth(16, 1, 99)
    rounded = (picture // 257 * 257).astype(np.uint16)
    reply = client.post(
        "/features", files=[("file", deep_png(each)) for each in (picture, rounded)], data={"model": "encoded"}
    )
    assert reply.status_code == 200, reply.text
    one, other = np.array(reply.json()["features"])
    assert (one != other).any(), "lower bits reach the network"
    assert np.abs(one - other).max() < 0.1 * np.abs(one).max()


@pytest.mark.usefixtures("models")
def test_searches_by_a_deep_model_compare_and_return_all_bits(client: TestClient) -> None:
    picture, hole = smooth(16, 1, 99), np.zeros((16, 16, 1), bool)
    hole[4:9, 3:8] = True
    mask = saved(Image.fromarray(np.where(hole, 255, 0).astype(np.uint8)[..., 0]))
    files, form = {"file": deep_png(picture)}, {"model": "grey", "steps": "20", "restarts": "2"}
    inverted = client.post("/invert", files=files, data=form).json()
    target, image = (samples_of(base64.b64decode(inverted[name])) for name in ("target", "image"))
    assert np.array_equal(target, picture)
    assert image.dtype == np.uint16
    assert image.shape == (16, 16, 1)
    assert inverted["mse"] == pytest.approx(np.square((image.astype(float) - target) / 65535).mean())
    headers = {"Accept": "application/json"}
    filled = client.post("/inpaint", files=files | {"mask": mask}, data=form, headers=headers).json()
    target, image, sample = (samples_of(base64.b64decode(filled[name])) for name in ("target", "image", "sample"))
    assert np.array_equal(image, np.where(hole, sample, picture))
    assert len(np.unique(sample)) > 16
    mse = np.square((sample.astype(float) - picture) / 65535)[~hole].mean()
    assert filled["psnr"] == pytest.approx(-10 * np.log10(mse))


@pytest.mark.usefixtures("models")
def test_latents_interpolations_and_sums_of_a_deep_model(client: TestClient) -> None:
    drawn = json.loads(get(client, "/sample?model=grey&n=2&seed=5&format=json&latents=true"))
    again = client.post("/sample", json={"model": "grey", "latents": drawn["latents"], "format": "npy"})
    assert np.array_equal(
        np.load(io.BytesIO(again.content)), np.load(io.BytesIO(get(client, "/sample?model=grey&n=2&seed=5&format=npy")))
    )
    way = "/interpolate?model=grey&from=1&to=2&frames=4&format="
    strip = samples_of(get(client, way + "png"))
    assert len(np.unique(strip)) > 256
    for format_ in ("apng", "webp"):
        with Image.open(io.BytesIO(get(client, way + format_))) as moving:
            assert (len(list(ImageSequence.Iterator(moving))), moving.size) == (4, (16, 16))
    terms = [{"samples": ["1", "2"]}, {"samples": ["3"], "weight": -1}]
    figure = client.post("/latent/arithmetic", json={"model": "grey", "terms": terms, "format": "png"})
    assert len(np.unique(samples_of(figure.content))) > 256
