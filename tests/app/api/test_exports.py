"""GET /models/{name}@{version}/export: a zip that other programs read, with card, parity and samples."""

import io
import json
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from httpx2 import Response
from PIL import Image
from starlette.testclient import TestClient

from app.core.settings import CHECKOUT, get_settings
from app.core.store import Store
from app.services.models import portable, registry
from data.readers import builtin
from models.export import load_export
from models.spec.datasets import UNKNOWN_DATASET
from tests.app.api.conftest import Publish
from tests.support.exports import write_vivid
from tests.support.problems import assert_problem
from tests.support.settings import clear_caches

pytestmark = [
    pytest.mark.slow,
    pytest.mark.processes,
    pytest.mark.parametrize("backend", ["sqlite"], indirect=True, scope="module"),
]

FILES = {"safetensors": "weights.safetensors", "onnx": "generator.onnx", "torch_export": "generator.pt2"}
SMALL = {
    "srgan": {"width": 4, "blocks": 1},
    "inpaint": {"kind": "unet", "width": 4, "depth": 2},
    "cyclegan": {"width": 4, "blocks": 1},
}
"""generators of translators that are written in seconds"""
PARITY_BOUND = 1e-4
"""largest accepted difference of pictures in [-1, 1]: an eightieth of a level"""


@pytest.fixture(scope="module")
def model(publish: Publish) -> str:
    return publish(name="out", generator={"width": 8})


def export(client: TestClient, model: str, format_: str) -> tuple[Response, dict[str, bytes]]:
    reply = client.get(f"/models/{model}/export?format={format_}")
    assert reply.status_code == 200, reply.text
    with zipfile.ZipFile(io.BytesIO(reply.content)) as archive:
        assert archive.testzip() is None
        return reply, {name: archive.read(name) for name in archive.namelist()}


def run_reader(script: str, folder: Path, *arguments: str) -> "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]":
    """Run a reader where no module of Forger can be imported; return the picture that it drew.

    Check that it prints the parity.
    """
    environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    file = CHECKOUT / "examples" / "readers" / script
    isolated = "import sys, runpy; sys.path = [p for p in sys.path if p != sys.argv[1]]; sys.argv = sys.argv[2:]; "
    isolated += "runpy.run_path(sys.argv[0], run_name='__main__'); assert 'forger' not in sys.modules; "
    isolated += "assert 'models' not in sys.modules"
    command = [sys.executable, "-P", "-c", isolated, str(CHECKOUT), str(file), *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("parity: {")
    return np.asarray(Image.open(folder / "out.png"))


@pytest.mark.parametrize("format_", FILES)
def test_export_holds_files_card_and_samples_and_a_reader_without_forger_draws(
    client: TestClient, model: str, format_: str, tmp_path: Path
) -> None:
    reply, members = export(client, model, format_)
    assert set(members) == {FILES[format_], "card.md", "card.json", "samples.png"}
    card = json.loads(members["card.json"])
    assert (card["model"], card["format"]) == (model, format_)
    assert card["parity"]["inputs"] == 64
    assert card["parity"]["max_abs"] < PARITY_BOUND
    assert f"max_abs={card['parity']['max_abs']:.3g}" in reply.headers["forger-parity"]
    assert (reply.headers["x-forger-model"], reply.headers["content-type"]) == (model, "application/zip")
    assert card["recipe"] == registry.find(model).recipe.model_dump(mode="json")
    assert len(card["data"]["sha256"]) == 64
    assert card["data"]["class_names"] == [str(number) for number in range(10)]
    page = members["card.md"].decode()
    assert f"# {model}" in page
    assert "- Classes: 0 to 9" in page
    for name in (FILES[format_], "card.json"):
        (tmp_path / name).write_bytes(members[name])
    (command,) = re.findall(r"^python (.+)$", page, re.MULTILINE)
    drawn = run_reader(command.split()[0], tmp_path, *command.split()[1:])
    assert drawn.shape == (16, 16 * 16)
    assert drawn.std() > 5


def test_readers_of_all_formats_draw_the_same_pictures(client: TestClient, model: str, tmp_path: Path) -> None:
    drawn = []
    for format_, file in FILES.items():
        for name, content in export(client, model, format_)[1].items():
            (tmp_path / name).write_bytes(content)
        drawn.append(run_reader(f"read_{format_}.py", tmp_path, file, "out.png").astype(int))
    assert all(np.abs(other - drawn[0]).max() <= 1 for other in drawn[1:]), "equal but for rounding"


@pytest.mark.parametrize("format_", ["onnx", "torch_export"])
@pytest.mark.parametrize(
    ("family", "dataset", "program"),
    [("srgan", "digits", "translator"), ("inpaint", "digits", "translator"), ("cyclegan", "day2night", "b2a")],
)
@pytest.mark.sampled(2)
def test_reader_without_forger_translates_a_photograph(
    client: TestClient, publish: Publish, tmp_path: Path, family: str, dataset: str, program: str, format_: str
) -> None:
    overrides = {"cyclegan": {"data": {"side": 16}}}.get(family, {})
    model = publish(family, dataset, name=f"out-{family}", generator=SMALL[family], **overrides)
    _, members = export(client, model, format_)
    card = json.loads(members["card.json"])
    directions = 2 if family == "cyclegan" else 1
    assert Image.open(io.BytesIO(members[card["samples"]])).size == (4 * 129 - 1, directions * 2 * 129 - 1)
    file = next(one["file"] for one in card["programs"] if one["name"] == program)
    (tmp_path / file).write_bytes(members[file])
    Image.effect_mandelbrot((50, 41), (-2, -1, 1, 1), 20).convert("RGB").save(tmp_path / "photo.png")
    drawn = run_reader(f"read_{format_}.py", tmp_path, file, "out.png", "photo.png")
    multiple = registry.find(model).recipe.side_multiple
    factor = registry.find(model).recipe.upscaling
    assert drawn.shape[:2] == tuple(factor * (side // multiple * multiple) for side in (41, 50))


@pytest.mark.parametrize(
    ("family", "dataset", "overrides"),
    [
        ("cdcgan", "digits", {"generator": {"width": 4}}),
        ("cyclegan", "day2night", {"generator": SMALL["cyclegan"], "data": {"side": 16}}),
        ("pix2pix", "day2night", {"generator": {"width": 4, "depth": 2}, "data": {"side": 16}}),
    ],
)
def test_card_has_the_digest_of_the_numbers_that_a_training_reads(
    client: TestClient, publish: Publish, family: str, dataset: str, overrides: dict[str, Any]
) -> None:
    model = publish(family, dataset, name="digested", **overrides)
    card = json.loads(export(client, model, "safetensors")[1]["card.json"])
    read = builtin.load(registry.find(model).recipe.data, get_settings().data)
    tensors = [tensor for tensor in (read.images, read.labels, read.a, read.b) if tensor is not None]
    assert card["data"]["sha256"] == sha256(b"".join(tensor.numpy().tobytes() for tensor in tensors)).hexdigest()
    assert card["data"]["no_digest"] is None


@pytest.mark.parametrize(
    ("dataset", "reason"),
    [
        (UNKNOWN_DATASET, "their file does not name the data"),
        ("faces", "a dataset 'faces' of this service may be another"),
    ],
)
def test_card_of_imported_weights_says_why_there_is_no_digest(
    client: TestClient, model: str, tmp_path: Path, dataset: str, reason: str
) -> None:
    recipe = registry.find(model).recipe
    recipe = recipe.model_copy(update={"data": recipe.data.model_copy(update={"dataset": dataset})})
    write_vivid(tmp_path / "export", recipe)
    size = (tmp_path / "export").stat().st_size
    stored = Store(get_settings().artifacts).put_file(tmp_path / "export")
    facts = {"imported": {"licence": None, "source": None}}
    version = registry.add_imported("undigested", recipe, 0, stored, size, facts)
    _, members = export(client, version.reference, "safetensors")
    data = json.loads(members["card.json"])["data"]
    assert data["sha256"] is None
    assert reason in data["no_digest"]
    page = members["card.md"].decode()
    assert data["no_digest"] in page
    assert ("Its file does not name its training data" in page) == (dataset == UNKNOWN_DATASET)


def test_card_says_that_large_scenes_are_not_rendered_for_a_digest(client: TestClient, publish: Publish) -> None:
    model = publish("cyclegan", "day2night", name="large", generator=SMALL["cyclegan"], data={"side": 160})
    data = json.loads(export(client, model, "safetensors")[1]["card.json"])["data"]
    assert data["sha256"] is None
    assert "scenes of 160 px" in data["no_digest"]


def test_same_request_has_the_same_bytes_also_after_the_files_were_deleted(client: TestClient, model: str) -> None:
    first, _ = export(client, model, "onnx")
    assert export(client, model, "onnx")[0].content == first.content
    export_sha256 = registry.find(model).export_sha256
    os.utime(get_settings().exported / f"{export_sha256}-onnx", (0, 0))
    assert export(client, model, "onnx")[0].content == first.content
    portable.delete_stale(lambda sha256s: sha256s, 0)
    assert (get_settings().exported / f"{export_sha256}-onnx").is_dir(), "the request counts as use"
    portable.delete_stale(lambda _: set(), 0)
    assert not list(get_settings().exported.glob(f"{export_sha256}-onnx"))
    assert export(client, model, "onnx")[0].content == first.content


def test_safetensors_are_the_versions_export_to_the_byte(client: TestClient, model: str, tmp_path: Path) -> None:
    _, members = export(client, model, "safetensors")
    (tmp_path / "file").write_bytes(members["weights.safetensors"])
    loaded = load_export(tmp_path / "file")
    assert loaded.recipe == registry.find(model).recipe
    assert (
        json.loads(members["card.json"])["files"]["weights.safetensors"]["sha256"] == registry.find(model).export_sha256
    )


def test_export_without_a_format_is_safetensors(client: TestClient, model: str) -> None:
    assert "weights.safetensors" in export(client, model, "safetensors")[1]
    assert client.get(f"/models/{model}/export").headers["content-disposition"].endswith('-safetensors.zip"')


def test_unknown_format_is_refused(client: TestClient, model: str) -> None:
    problem = assert_problem(client.get(f"/models/{model}/export?format=pickle"), 422)
    assert [error["pointer"] for error in problem["errors"]] == ["/format"]


@pytest.mark.parametrize("reference", ["out@99", "nobody@1"])
def test_unknown_version_is_not_found(client: TestClient, model: str, reference: str) -> None:
    assert assert_problem(client.get(f"/models/{reference}/export?format=onnx"), 404)["code"] == "no_model"


def test_format_that_cannot_hold_a_model_is_refused_with_one_that_can(
    client: TestClient, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.spec.portable.MAX_ONNX_BYTES", 1000)
    problem = assert_problem(client.get(f"/models/{model}/export?format=onnx"), 422)
    assert (problem["code"], problem["errors"][0]["pointer"]) == ("format_cannot", "/format")
    assert "take safetensors or torch_export" in problem["detail"]
    assert client.get(f"/models/{model}/export?format=safetensors").status_code == 200


@pytest.fixture
def one_second(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("FORGER_MAX_EXPORT_SECONDS", "1")
    clear_caches()
    yield
    monkeypatch.undo()
    clear_caches()


def test_export_that_takes_too_long_is_refused_and_leaves_nothing(
    client: TestClient, publish: Publish, one_second: None
) -> None:
    slow = publish(name="slow", generator={"width": 16})
    problem = assert_problem(client.get(f"/models/{slow}/export?format=onnx"), 422)
    assert "more than 1 s (max_export_seconds)" in problem["detail"]
    found = registry.find(slow).export_sha256
    assert [path for path in get_settings().exported.iterdir() if path.name.startswith((".", found))] == []


def test_damaged_export_is_refused(client: TestClient, publish: Publish) -> None:
    damaged = publish(name="damaged", generator={"width": 4}, seed=5)
    path = get_settings().artifacts
    file = next(found for found in path.rglob(registry.find(damaged).export_sha256))
    file.write_bytes(b"no weights")
    assert assert_problem(client.get(f"/models/{damaged}/export"), 409)["code"] == "file_damaged"


def test_host_without_torch_refuses(client: TestClient, publish: Publish, monkeypatch: pytest.MonkeyPatch) -> None:
    fresh = publish(name="fresh", generator={"width": 4}, seed=6)
    monkeypatch.setattr("app.services.models.portable.find_spec", lambda _: None)
    assert assert_problem(client.get(f"/models/{fresh}/export"), 503)["code"] == "no_engine"


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_zip_of_an_export_is_imported_as_its_weights(compression: int, client: TestClient, model: str) -> None:
    _, files = export(client, model, "safetensors")
    sent = io.BytesIO()
    with zipfile.ZipFile(sent, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    reply = client.post("/models/import", data={"name": "zipped"}, files={"file": ("digits.zip", sent.getvalue())})
    assert reply.status_code == 201, reply.text
    version = reply.json()
    assert version["export_sha256"] == sha256(files["weights.safetensors"]).hexdigest()
    assert version["card"]["imported"]["file_sha256"] == sha256(sent.getvalue()).hexdigest()
    assert not list(get_settings().incoming.iterdir())


@pytest.mark.parametrize("format_", ["onnx", "torch_export"])
def test_zip_of_a_program_is_refused_by_name(format_: str, client: TestClient, model: str) -> None:
    reply = client.get(f"/models/{model}/export", params={"format": format_})
    refused = client.post("/models/import", data={"name": "program"}, files={"file": ("a.zip", reply.content)})
    problem = assert_problem(refused, 422)
    assert problem["code"] == "unusable_export"
    assert f"'{FILES[format_]}'" in problem["detail"]
    assert "export the model as safetensors" in problem["detail"]


def test_imported_export_is_exported_with_its_licence_and_source(client: TestClient, model: str) -> None:
    _, files = export(client, model, "safetensors")
    form = {"name": "back", "licence": "MIT", "source": "example.org/weights"}
    reply = client.post("/models/import", data=form, files={"file": ("w.safetensors", files["weights.safetensors"])})
    assert reply.status_code == 201, reply.text
    _, again = export(client, reply.json()["model"], "safetensors")
    card = json.loads(again["card.json"])
    assert (card["licence"], card["source"]) == ("MIT", "example.org/weights")
    assert again["weights.safetensors"] == files["weights.safetensors"]
    assert again["samples.png"] == files["samples.png"]
    picture = {"file": ("a.png", files["samples.png"])}
    refused = client.post("/features", data={"model": reply.json()["model"]}, files=picture)
    problem = assert_problem(refused, 409)
    assert problem["code"] == "critic_gone"
    assert "imported without a critic" in problem["detail"]
