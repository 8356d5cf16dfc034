"""Jobs on pictures of 16 bits: trainings, their figures, and what their models generate and translate in bulk."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.core.settings import get_settings
from app.core.store import Store
from app.services.creation import train
from app.services.datasets import catalog
from app.services.jobs import attempts, lifecycle
from app.services.views import JobView
from data.uploads.survey import UploadOptions
from forger.wire import JobState
from models.export import read_header
from models.spec.estimates.duration import prefers_bf16
from models.spec.resolve import resolve
from tests.support.bulk_jobs import run_and_unpack
from tests.support.databases import sqlite_only
from tests.support.datasets import upload_dataset
from tests.support.deep_pictures import Array, deep_noise, deep_png, samples_of
from tests.support.model_jobs import make_evaluation, make_generation, make_translation
from tests.support.supervisor_link import silent_link
from tests.support.zips import noise, saved
from worker.runners.main import build_runner

SMALL: dict[str, Any] = {"generator": {"width": 4}, "critic": {"width": 4}, "batch_size": 4, "report_every": 2}
FAMILIES: dict[str, dict[str, Any]] = {
    "dcgan": SMALL,
    "cyclegan": SMALL | {"generator": {"width": 4, "blocks": 1}, "critic": {"width": 4, "layers": 1}},
    "pix2pix": SMALL | {"generator": {"width": 4, "depth": 2}, "critic": {"width": 4, "layers": 1}},
    "vae": {"batch_size": 4, "report_every": 2},
}


def upload_deep(name: str, family: str, channels: int = 3) -> None:
    """Upload twenty pictures of 16 px, or twenty pairs of them."""
    folders = ("A/", "B/") if family in ("cyclegan", "pix2pix") else ("",)
    members = {
        f"{folder}{number}.png": deep_png(deep_noise(16, 16, channels, 100 * len(folder) + number))
        for folder in folders
        for number in range(20)
    }
    upload_dataset(name, members, UploadOptions(bits=16))


def trained(family: str, dataset: str, **overrides: Any) -> JobView:
    """Train a model, called as its dataset, for four steps."""
    known = catalog.all_datasets()
    settings = FAMILIES[family] | overrides
    _, recipe = resolve(family, dataset=dataset, seed=1, budget={"steps": 4}, overrides=settings, datasets=known)
    job = lifecycle.create(train.of_recipe(recipe, family, dataset))
    run(job.id)
    return lifecycle.get(job.id)


def run(job_id: str) -> None:
    assert attempts.claim(job_id, "tests") is not None
    build_runner(lifecycle.get(job_id), 1, silent_link()).run()
    ended = lifecycle.get(job_id)
    assert ended.state == JobState.SUCCEEDED, ended.status_reason


def artifact(job_id: str, ending: str) -> Path:
    """Return the file of the job's newest artifact whose name ends so."""
    found = [each for each in lifecycle.artifacts(job_id) if each.name.endswith(ending)]
    return Store(get_settings().artifacts).path(found[-1].sha256)


@pytest.mark.sampled(2, quick=1)
@sqlite_only
@pytest.mark.parametrize("family", FAMILIES)
def test_training_on_16_bits_publishes_a_model_of_16_bits_with_figures(database: Path, family: str) -> None:
    upload_deep("deep", family)
    job = trained(family, "deep")
    assert read_header(artifact(job.id, "export.safetensors"))["recipe"]["data"]["bits"] == 16
    assert samples_of(artifact(job.id, ".png").read_bytes()).dtype == np.uint8, "a sheet is for the eye"
    evaluation = make_evaluation(model="deep", n=20)
    run(evaluation.id)
    assert json.loads(artifact(evaluation.id, "evaluation.json").read_bytes())["figures"]
    assert samples_of(artifact(evaluation.id, "evaluation.png").read_bytes()).dtype == np.uint8


@sqlite_only
def test_generated_zip_holds_pictures_of_16_bits_and_equal_requests_equal_bytes(database: Path) -> None:
    upload_deep("deep", "dcgan", channels=1)
    trained("dcgan", "deep", watch=None)
    files, again = (run_and_unpack(make_generation(model="deep", n=5, format="zip").id) for _ in range(2))
    assert files == again
    pictures = [samples_of(data) for name, data in files.items() if name.endswith(".png")]
    assert {(each.dtype.name, each.shape) for each in pictures} == {("uint16", (16, 16, 1))}
    assert len(np.unique(np.stack(pictures))) > 256


@sqlite_only
def test_translated_pictures_have_the_bits_of_the_model_whatever_those_of_the_dataset(database: Path) -> None:
    upload_deep("deep", "cyclegan")
    trained("cyclegan", "deep", watch=None)
    upload_dataset("eight", {f"{number}.png": saved(noise(16, 16, number)) for number in range(3)})
    as_deep = {f"{number}.png": deep_png(widened(noise_array(number))) for number in range(3)}
    upload_dataset("wide", as_deep, UploadOptions(bits=16))
    translations = [
        {
            name: samples_of(data)
            for name, data in run_and_unpack(make_translation(model="deep", dataset=dataset).id).items()
        }
        for dataset in ("eight", "wide")
    ]
    assert all(picture.dtype == np.uint16 for picture in translations[0].values())
    assert all(np.array_equal(picture, translations[1][name]) for name, picture in translations[0].items())


def noise_array(seed: int) -> Array:
    return np.asarray(noise(16, 16, seed))


def widened(eight_bits: Array) -> Array:
    return eight_bits.astype(np.uint16) * 257


def test_pictures_of_16_bits_are_trained_in_fp32_unless_the_recipe_says_bf16() -> None:
    _, recipe = resolve("dcgan", dataset="digits", seed=1)
    deep = recipe.model_copy(update={"data": recipe.data.model_copy(update={"bits": 16})})
    assert prefers_bf16(recipe)
    assert not prefers_bf16(deep)
    assert prefers_bf16(deep.model_copy(update={"precision": "bf16"}))
