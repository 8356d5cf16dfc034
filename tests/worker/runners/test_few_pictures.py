"""Jobs on uploads of one, two and three pictures, from the zip to the published model."""

from pathlib import Path

import pytest

from app.services.creation import train
from app.services.datasets import catalog
from app.services.jobs import attempts, lifecycle
from app.services.models import registry
from forger.wire import JobState
from models.spec.resolve import resolve
from tests.support.databases import sqlite_only
from tests.support.datasets import upload_dataset
from tests.support.supervisor_link import silent_link
from tests.support.zips import picture
from worker.runners.main import build_runner

SMALL = {"generator": {"width": 4}, "critic": {"width": 4}, "batch_size": 4}
UPLOADS = {
    "dcgan": lambda count: {f"{number}.png": picture(number, 16, 16) for number in range(count)},
    "cyclegan": lambda count: {
        **{f"A/{number}.png": picture(number, 16, 16) for number in range(count)},
        **{f"B/other{number}.png": picture(9 + number, 16, 16) for number in range(4)},
    },
    "pix2pix": lambda count: {
        f"{pile}/{number}.png": picture(number, 16, 16) for pile in "AB" for number in range(count)
    },
}


@pytest.mark.sampled(4, quick=1)
@sqlite_only
@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("family", UPLOADS)
def test_job_on_an_upload_of_few_pictures_succeeds_and_publishes(database: Path, family: str, count: int) -> None:
    upload = upload_dataset("few", UPLOADS[family](count))
    assert upload.report is not None
    assert any("memorises so few" in note for note in upload.report.notes)
    small_generator = {"generator": {"width": 4, "depth": 2}} if family == "pix2pix" else {}
    overrides = {**SMALL, **small_generator, "report_every": 2, "watch": None}
    if family != "dcgan":
        overrides["critic"] = {"width": 4, "layers": 1}
    known = catalog.all_datasets()
    _, recipe = resolve(family, dataset="few", seed=1, budget={"steps": 4}, overrides=overrides, datasets=known)
    job = lifecycle.create(train.of_recipe(recipe, family, "few"))
    assert attempts.claim(job.id, "tests") is not None
    build_runner(job, 1, silent_link()).run()
    ended = lifecycle.get(job.id)
    assert (ended.state, ended.step) == (JobState.SUCCEEDED, 4)
    assert [version.name for version in registry.versions()] == ["few"]
