"""POST /models/import: own exports and files of other projects serve like trained models; bad files leave nothing."""

import hashlib
import io
import json
import zipfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from starlette.testclient import TestClient

from app.core.settings import get_settings
from app.services.models import imports
from models.spec.recipe import Recipe
from models.spec.resolve import resolve
from tests.support.exports import write_vivid
from tests.support.foreign_networks import CycleganResnet, DcganExample, Pix2pixUnet, save_pth, trained
from tests.support.invalid_zips import zip_of_zeros
from tests.support.problems import assert_problem
from tests.support.recipes import small_recipe

LICENCE, SOURCE = "CC-BY-NC-4.0", "https://example.org/weights"
HALF_LEVEL = 0.5
"""largest distance in levels of a right picture from the exact one: it is rounded"""


def send(client: TestClient, file: Path, name: str = "brought", *, b2a: Path | None = None, **fields: str) -> Any:
    files = {part: (path.name, path.read_bytes()) for part, path in (("file", file), ("b2a", b2a)) if path}
    return client.post("/models/import", files=files, data={"name": name, **fields})


def png_of(picture: np.ndarray[Any, Any]) -> bytes:
    sent = io.BytesIO()
    Image.fromarray(picture).save(sent, "PNG")
    return sent.getvalue()


def translate(client: TestClient, model: str, picture: np.ndarray[Any, Any], **fields: str) -> np.ndarray[Any, Any]:
    files = {"file": ("a.png", png_of(picture))}
    translated = client.post("/translate", data={"model": model, **fields}, files=files)
    assert translated.status_code == 200, translated.text
    return np.asarray(Image.open(io.BytesIO(translated.content)))


def recipe_of(family: str, dataset: str = "digits") -> Recipe:
    return resolve(family, dataset=dataset, seed=1, budget={"steps": 3})[1]


def levels_of(output: torch.Tensor) -> np.ndarray[Any, Any]:
    """Return a network's picture [1, c, h, w] in [-1, 1] in levels, not rounded: [h, w, c]."""
    return (output[0].permute(1, 2, 0).numpy() + 1) * 127.5


@pytest.fixture
def export(tmp_path: Path) -> Path:
    path = tmp_path / "sevens.safetensors"
    write_vivid(path, recipe_of("cdcgan"))
    return path


def test_own_export_is_stored_as_it_is_and_drawn_from(client: TestClient, export: Path) -> None:
    reply = send(client, export, licence=LICENCE, source=SOURCE)
    assert reply.status_code == 201, reply.text
    version = reply.json()
    assert reply.headers["location"] == f"/models/{version['model']}"
    assert client.get(reply.headers["location"]).json() == version
    assert version["export_sha256"] == hashlib.sha256(export.read_bytes()).hexdigest()
    assert (version["job"], version["dataset"], version["classes"], version["health"]) == (None, "digits", 10, None)
    card = version["card"]["imported"]
    assert (card["layout"], card["licence"], card["source"]) == ("forger", LICENCE, SOURCE)
    assert card["output"] == {"range": [-1, 1], "channels": 1, "order": "grey", "side": 16}
    assert card["trial"]["seconds"] > 0
    assert card["trial"]["memory_bytes"] > 0
    assert client.get(f"/sample?model={version['model']}&class=7&seed=1").status_code == 200


@torch.no_grad()
def test_cyclegan_file_translates_a_picture_as_its_own_project_does(client: TestClient, tmp_path: Path) -> None:
    network = trained(CycleganResnet(width=8, blocks=6))
    reply = send(client, save_pth(network.state_dict(), tmp_path / "latest_net_G_A.pth"), "zebra")
    assert reply.status_code == 201, reply.text
    card = reply.json()["card"]["imported"]
    assert card["layout"] == "cyclegan_resnet"
    assert (card["input"]["side_multiple"], card["input"]["order"]) == (4, "RGB")
    assert (card["trial"]["request"], card["trial"]["width"]) == ("translate", 256)
    assert card["largest"]["output_pixels"] == get_settings().max_pixels
    assert (card["licence"], card["source"]) == (None, None)
    picture = np.random.default_rng(1).integers(0, 256, (48, 64, 3), np.uint8)
    exact = levels_of(network(torch.from_numpy(picture)[None].permute(0, 3, 1, 2) / 127.5 - 1))
    assert np.abs(translate(client, "zebra", picture) - exact).max() <= HALF_LEVEL + 0.01
    back = client.post("/translate", data={"model": "zebra", "direction": "b2a"}, files={"file": ("a.png", b"")})
    assert back.json()["errors"][0]["pointer"] == "/direction"


@torch.no_grad()
def test_unet_with_batch_norm_translates_in_eval_mode_and_says_so(client: TestClient, tmp_path: Path) -> None:
    network = trained(Pix2pixUnet(depth=7))
    reply = send(client, save_pth(network.state_dict(), tmp_path / "latest_net_G.pth"), "maps")
    assert reply.status_code == 201, reply.text
    assert "dropout is off" in reply.json()["card"]["imported"]["notes"][0]
    picture = np.random.default_rng(1).integers(0, 256, (128, 128, 3), np.uint8)
    exact = levels_of(network(torch.from_numpy(picture)[None].permute(0, 3, 1, 2) / 127.5 - 1))
    assert np.abs(translate(client, "maps", picture) - exact).max() <= HALF_LEVEL + 0.01


@torch.no_grad()
def test_grey_pictures_become_rgb_and_keep_their_alpha(client: TestClient, tmp_path: Path) -> None:
    network = trained(Pix2pixUnet(depth=7, norm="instance", channels=1, output_channels=3))
    reply = send(client, save_pth(network.state_dict(), tmp_path / "net_G.pth"), "edges")
    assert reply.status_code == 201, reply.text
    card = reply.json()["card"]["imported"]
    assert (card["input"]["order"], card["output"]["order"]) == ("grey", "RGB")
    picture = np.random.default_rng(1).integers(0, 256, (128, 128), np.uint8)
    exact = levels_of(network(torch.from_numpy(picture)[None, None] / 127.5 - 1))
    served = translate(client, "edges", picture)
    assert served.shape == (128, 128, 3)
    assert np.abs(served - exact).max() <= HALF_LEVEL + 0.01
    alpha = np.full_like(picture, 200)
    with_alpha = translate(client, "edges", np.dstack([picture, alpha]))
    assert with_alpha.shape == (128, 128, 4)
    assert (with_alpha[..., 3] == 200).all()
    # A picture of more than one tile.
    assert translate(client, "edges", np.full((900, 800), 90, np.uint8)).shape == (900, 800, 3)


@torch.no_grad()
def test_two_files_translate_both_ways(client: TestClient, tmp_path: Path) -> None:
    networks = {way: trained(CycleganResnet(width=8, blocks=6), seed) for seed, way in ((1, "a2b"), (2, "b2a"))}
    files = {way: save_pth(network.state_dict(), tmp_path / f"{way}.pth") for way, network in networks.items()}
    reply = send(client, files["a2b"], "horses", b2a=files["b2a"])
    assert reply.status_code == 201, reply.text
    card = reply.json()["card"]["imported"]
    assert card["b2a_sha256"] == hashlib.sha256(files["b2a"].read_bytes()).hexdigest()
    picture = np.random.default_rng(1).integers(0, 256, (64, 64, 3), np.uint8)
    for way, network in networks.items():
        exact = levels_of(network(torch.from_numpy(picture)[None].permute(0, 3, 1, 2) / 127.5 - 1))
        assert np.abs(translate(client, "horses", picture, direction=way) - exact).max() <= HALF_LEVEL + 0.01


def test_way_back_that_does_not_fit_is_refused_at_its_part(client: TestClient, tmp_path: Path) -> None:
    before = kept(get_settings().incoming)
    first = save_pth(CycleganResnet(blocks=6).state_dict(), tmp_path / "a.pth")
    second = save_pth(CycleganResnet(blocks=9).state_dict(), tmp_path / "b.pth")
    reply = send(client, first, "never", b2a=second)
    assert (reply.status_code, reply.json()["errors"][0]["pointer"]) == (422, "/b2a")
    (tmp_path / "text").write_text("no weights at all")
    reply = send(client, first, "never", b2a=tmp_path / "text")
    assert (reply.status_code, reply.json()["errors"][0]["pointer"]) == (415, "/b2a")
    files = {"file": (first.name, first.read_bytes()), "other": ("x", b"x")}
    reply = client.post("/models/import", files=files, data={"name": "never"})
    assert (reply.status_code, reply.json()["errors"][0]["pointer"]) == (422, "/other")
    assert kept(get_settings().incoming) == before
    assert client.get("/models/never").status_code == 404


def test_dcgan_file_draws_and_keeps_its_latent_on_the_card(client: TestClient, tmp_path: Path) -> None:
    network = trained(DcganExample(latent=64, width=8))
    reply = send(client, save_pth(network.state_dict(), tmp_path / "netG_epoch_24.pth"), "faces")
    assert reply.status_code == 201, reply.text
    card = reply.json()["card"]["imported"]
    assert (card["layout"], card["input"]["latent"]["size"], card["output"]["side"]) == ("dcgan", 64, 64)
    sample = client.get("/sample?model=faces&seed=3&n=4")
    assert sample.status_code == 200
    assert sample.content == client.get("/sample?model=faces&seed=3&n=4").content


@pytest.mark.slow
@pytest.mark.parametrize(
    "recipe",
    [small_recipe("srgan", game={"factor": 4}), small_recipe("cyclegan", generator={"width": 4, "blocks": 0})],
    ids=lambda recipe: recipe.generator.kind,
)
def test_picture_of_the_largest_size_on_the_card_is_served_and_one_beyond_is_refused(
    client: TestClient, tmp_path: Path, recipe: Recipe
) -> None:
    write_vivid(tmp_path / "export", recipe)
    largest = send(client, tmp_path / "export", "large").json()["card"]["imported"]["largest"]
    width, height = largest["width"], largest["height"]
    served = translate(client, "large", np.full((height, width), 90, np.uint8))
    assert served.shape[0] * served.shape[1] == largest["output_pixels"] <= get_settings().max_pixels
    beyond = png_of(np.full((height + recipe.side_multiple, width), 90, np.uint8))
    refused = client.post("/translate", data={"model": "large"}, files={"file": ("a.png", beyond)})
    assert_problem(refused, 422)
    assert "max_pixels" in refused.json()["detail"]


def changed_header(export: Path, **changes: object) -> Path:
    weights, path = load_file(export), export.with_name("changed.safetensors")
    header = {"format": 1, "recipe": recipe_of("cdcgan").model_dump(mode="json"), "step": 0, **changes}
    save_file(weights, path, metadata={"forger": json.dumps(header)})
    return path


def kept(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


BAD: dict[str, tuple[dict[str, object], str]] = {
    "another format": ({"format": 9}, "format 9"),
    "no recipe": ({"recipe": None}, "cannot be read"),
    "another recipe": ({"recipe": recipe_of("dcgan").model_dump(mode="json")}, "export's recipe"),
    "a step below 0": ({"step": -1}, "no step"),
    "a step that is no number": ({"step": True}, "no step"),
}


@pytest.mark.parametrize("name", BAD)
def test_export_with_a_wrong_header_is_refused(name: str, client: TestClient, export: Path) -> None:
    changes, sentence = BAD[name]
    reply = send(client, changed_header(export, **changes), "never")
    assert reply.status_code == 422, reply.text
    assert sentence in reply.json()["detail"]
    assert reply.json()["errors"][0]["pointer"] == "/file"


def zip_of(weights: bytes, name: str = "weights.safetensors") -> bytes:
    sent = io.BytesIO()
    with zipfile.ZipFile(sent, "w") as archive:
        archive.writestr(name, weights)
    return sent.getvalue()


@pytest.mark.parametrize(
    ("content", "code", "words"),
    [
        (zip_of(b"weights", "digits/weights.safetensors"), "unusable_export", "holds no weights.safetensors"),
        (zip_of(b"weights").replace(b"weightsPK", b"wEightsPK"), "unusable_export", "The ZIP cannot be read: Bad CRC"),
        (zip_of_zeros("weights.safetensors", 1 << 20), "too_large", "more than 10 times larger than its ZIP"),
        (zip_of(b"no weights"), "unsupported_media", "no file of weights"),
    ],
)
def test_zip_without_readable_weights_is_refused(
    content: bytes, code: str, words: str, client: TestClient, tmp_path: Path
) -> None:
    path = tmp_path / "sent.zip"
    path.write_bytes(content)
    reply = send(client, path)
    problem = assert_problem(reply, reply.status_code)
    assert (problem["code"], reply.status_code) == (code, 415 if code == "unsupported_media" else 422)
    assert words in problem["detail"]
    assert not list(get_settings().incoming.iterdir())


def test_refused_file_leaves_nothing(client: TestClient, tmp_path: Path) -> None:
    settings = get_settings()
    before = kept(settings.artifacts), kept(settings.incoming)
    weights = dict(trained(CycleganResnet(blocks=6)).state_dict())
    weights["model.7.weight"] = torch.zeros(3)
    contents: list[dict[str, object]] = [dict(weights), {"x": {}}]
    for content in contents:
        reply = send(client, save_pth(content, tmp_path / "x.pth"), "never")
        assert reply.status_code == 422, reply.text
        assert reply.json()["errors"][0]["pointer"] == "/file"
    (tmp_path / "text").write_text("no weights at all")
    assert send(client, tmp_path / "text", "never").status_code == 415
    assert client.get("/models/never").status_code == 404
    assert (kept(settings.artifacts), kept(settings.incoming)) == before


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"name": "No Name"}, "/name"),
        ({"name": "fine", "licence": ""}, "/licence"),
        ({"name": "fine", "source": "two\nlines"}, "/source"),
        ({"name": "fine", "license": "MIT"}, "/license"),
        ({}, "/name"),
    ],
)
def test_field_is_refused_at_its_place(fields: dict[str, str], pointer: str, client: TestClient, export: Path) -> None:
    with export.open("rb") as body:
        reply = client.post("/models/import", files={"file": ("x", body)}, data=fields)
    assert reply.status_code == 422, reply.text
    assert [error["pointer"] for error in reply.json()["errors"]] == [pointer]
    assert client.get("/models/fine").status_code == 404


def test_file_that_is_too_large_is_refused(client: TestClient, export: Path) -> None:
    state: Any = client.app
    small = get_settings().model_copy(update={"max_model_bytes": 1000})
    state.state.settings, usual = small, state.state.settings
    try:
        reply = send(client, export, "never")
    finally:
        state.state.settings = usual
    assert reply.status_code == 413
    assert "max_model_bytes" in reply.json()["detail"]


def test_api_without_torch_refuses_before_the_file_is_read(
    client: TestClient, export: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports, "find_spec", lambda name: None)
    reply = send(client, export, "never")
    assert (reply.status_code, reply.json()["code"]) == (503, "no_engine")


def test_import_is_refused_while_others_run(client: TestClient, export: Path) -> None:
    state: Any = client.app
    with ExitStack() as imports_under_way:
        for _ in range(imports.MAX_IMPORTS):
            imports_under_way.enter_context(state.state.imports.limiter.place())
        reply = send(client, export, "never")
    assert reply.status_code == 429
    assert int(reply.headers["retry-after"]) > 0


def test_weights_of_unknown_data_are_neither_evaluated_nor_judged(client: TestClient, tmp_path: Path) -> None:
    assert send(client, save_pth(trained(DcganExample(width=8)).state_dict(), tmp_path / "g.pth"), "strange").is_success
    evaluation = client.post("/jobs", json={"kind": "evaluate", "model": "strange"})
    assert evaluation.status_code == 422
    assert evaluation.json()["errors"][0]["pointer"] == "/model"
    assert "is not known" in evaluation.json()["detail"] + evaluation.json()["errors"][0]["message"]
    answers = [{"truth": t, "index": n, "guess": "real", "ms": 900} for n in range(5) for t in ("real", "fake")]
    version = client.get("/models/strange").json()["versions"][0]["model"]
    judged = client.post(f"/models/{version}/judgements", json={"seed": 3, "judge": "ada", "answers": answers})
    assert (judged.status_code, judged.json()["code"]) == (409, "nothing_to_judge")
