"""Bulk jobs of a real service: their pictures equal those of /sample and /translate, and no kill changes a byte."""

import csv
import io
import random
from typing import Any
from zipfile import ZipFile

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import load_digits

from data.readers import scene_tensors, scenes
from tests.conftest import StartService
from tests.support.exports import publish_slow, publish_vivid
from tests.support.kills import Kill, kill_runner, kill_service, kill_worker
from tests.support.png_chunks import without_text
from tests.support.service import Service
from tests.support.settings import new_home
from tests.support.watch import Watch
from tests.support.zips import saved

Array = NDArray[Any]
MODELS = {"cdcgan": "digits", "gan": "ring8", "pix2pix": "digits", "srgan": "digits", "cyclegan": "day2night"}
CLASSES = {"7": 7, "0": 2, "3": 4}
SLOW_JOBS: dict[str, dict[str, Any]] = {
    "generate": {"model": "slow-cdcgan", "n": 3000, "seed": 5, "shard": 100},
    "translate": {"model": "slow-pix2pix", "dataset": "digits", "format": "npz", "shard": 60},
}


@pytest.fixture(scope="module")
def service(start_service: StartService, tmp_path_factory: pytest.TempPathFactory) -> Service:
    """A service with untrained models: the quality of their pictures does not matter here."""
    home = tmp_path_factory.mktemp("bulk")
    with new_home(home):
        for family, dataset in MODELS.items():
            publish_vivid(family, dataset)
        publish_slow()
        publish_slow("pix2pix", width=256)
    return start_service(home)


def run_job(service: Service, **body: Any) -> tuple[str, list[dict[str, Any]]]:
    """Run a job until it has succeeded; return its id and its shards."""
    job = service.post(**body)
    return job, wait_for_shards(service, job)


def wait_for_shards(service: Service, job: str) -> list[dict[str, Any]]:
    done = service.wait_for(job, "succeeded")
    shards = shards_of(service, job)
    assert done["result"]["shards"] == len(shards)
    assert done["progress"]["step"] == done["progress"]["total"] == shards[-1]["step"]
    return shards


def open_zip(service: Service, shard: dict[str, Any]) -> ZipFile:
    return ZipFile(io.BytesIO(service.client.get(shard["href"]).content))


def load_arrays(service: Service, shard: dict[str, Any]) -> dict[str, Array]:
    return dict(np.load(io.BytesIO(service.client.get(shard["href"]).content)))


def sample(service: Service, **parameters: Any) -> Array:
    reply = service.client.get("/sample", params={"format": "npy", **parameters})
    assert reply.status_code == 200, reply.text
    generated: Array = np.load(io.BytesIO(reply.content))
    return generated


def digit(number: int) -> Array:
    """Return the digit as training prepares it at its own size."""
    raw = np.round(load_digits().images[number] * (255 / 16)).astype(np.uint8)
    return np.asarray(Image.fromarray(raw).resize((16, 16), Image.Resampling.BICUBIC))


def translate(service: Service, picture: Array, **options: str) -> Array:
    reply = service.client.post("/translate", files={"file": saved(Image.fromarray(picture))}, data=options)
    assert reply.status_code == 200, reply.text
    pixels = np.asarray(Image.open(io.BytesIO(reply.content)))
    return pixels.reshape(*pixels.shape[:2], -1)


def shards_of(service: Service, job: str) -> list[dict[str, Any]]:
    shards: list[dict[str, Any]] = service.client.get(f"/jobs/{job}/artifacts?kind=shard").json()["data"]
    return shards


def name_and_sha256(shard: dict[str, Any]) -> tuple[str, str]:
    return shard["name"], shard["sha256"]


def test_generated_zips_hold_the_same_files_as_sample(service: Service) -> None:
    _, shards = run_job(
        service, kind="generate", model="cdcgan-digits", classes=CLASSES, seed=9, temperature=0.8, shard=5
    )
    assert [(shard["name"], shard["step"]) for shard in shards] == [
        ("shard-0000.zip", 5),
        ("shard-0001.zip", 10),
        ("shard-0002.zip", 13),
    ]
    files: dict[str, bytes] = {}
    rows: list[dict[str, str]] = []
    for shard in shards:
        with open_zip(service, shard) as archive:
            table = archive.read("labels.csv").decode()
            files |= {name: archive.read(name) for name in archive.namelist() if name != "labels.csv"}
            rows += csv.DictReader(io.StringIO(table))
    assert sorted(files) == [row["file"] for row in rows]
    assert "".join(row["label"] for row in rows) == "0370373737777", "the classes alternate"
    for name, n in CLASSES.items():
        query = f"model=cdcgan-digits&class={name}&n={n}&seed=9&temperature=0.8&format=zip"
        with ZipFile(io.BytesIO(service.client.get(f"/sample?{query}").content)) as archive:
            generated = {int(row["index"]): files[row["file"]] for row in rows if row["class"] == name}
            assert generated == {int(file[:4]): without_text(archive.read(file)) for file in archive.namelist()}


def test_generated_arrays_equal_those_of_sample(service: Service) -> None:
    _, shards = run_job(service, kind="generate", model="cdcgan-digits@1", n=23, seed=3, format="npz", shard=10)
    chunks = [load_arrays(service, shard) for shard in shards]
    images = np.concatenate([chunk["images"] for chunk in chunks])
    labels = np.concatenate([chunk["labels"] for chunk in chunks])
    assert images.shape == (23, 16, 16, 1)
    assert (str(images.dtype), str(labels.dtype)) == ("uint8", "int64")
    assert labels.tolist() == [*range(10), *range(10), 0, 1, 2], "equal counts up to one, alternating"
    for label in range(10):
        generated = images[labels == label]
        sampled = sample(service, **{"class": label}, n=len(generated), seed=3, model="cdcgan-digits")
        assert np.array_equal(generated, sampled)


def test_generated_points_equal_those_of_sample(service: Service) -> None:
    _, (shard,) = run_job(service, kind="generate", model="gan-ring8", n=50, seed=2, format="npz")
    arrays = load_arrays(service, shard)
    assert arrays.keys() == {"points"}
    assert np.array_equal(arrays["points"], sample(service, model="gan-ring8", n=50, seed=2))


def test_translated_dataset_equals_translated_pictures(service: Service) -> None:
    _, shards = run_job(service, kind="translate", model="srgan-digits", dataset="digits", format="npz", shard=1000)
    chunks = [load_arrays(service, shard) for shard in shards]
    assert np.array_equal(np.concatenate([chunk["labels"] for chunk in chunks]), load_digits().target)
    images = np.concatenate([chunk["images"] for chunk in chunks])
    for number in (0, 999, 1796):
        assert np.array_equal(images[number], translate(service, digit(number), model="srgan-digits"))


def test_second_pile_is_translated_in_the_back_direction(service: Service) -> None:
    options = {"model": "cyclegan-day2night", "direction": "b2a"}
    job = service.post(kind="translate", dataset="day2night", format="npz", shard=2, **options)
    watch = Watch(service, job)
    watch.until_step(2)
    service.client.post(f"/jobs/{job}/cancel")
    service.wait_for(job, "cancelled")
    arrays = load_arrays(service, shards_of(service, job)[0])
    assert list(arrays) == ["images"], "a pile has no labels"
    nights = scene_tensors.pictures(range(scenes.NIGHT_SEEDS, scenes.NIGHT_SEEDS + 2), 64, night=True)
    for night, day in zip(nights.permute(0, 2, 3, 1).numpy(), arrays["images"], strict=True):
        assert np.array_equal(day, translate(service, night, **options))


@pytest.mark.long
@pytest.mark.parametrize(
    ("kind", "kill"), [("generate", kill_runner), ("translate", kill_worker), ("generate", kill_service)]
)
def test_kills_and_pauses_of_a_bulk_job_change_no_byte(service: Service, kind: str, kill: Kill) -> None:
    undisturbed = run_job(service, kind=kind, **SLOW_JOBS[kind])[1]
    shard_size = SLOW_JOBS[kind]["shard"]
    job = service.post(kind=kind, **SLOW_JOBS[kind])
    watch = Watch(service, job)
    watch.until_step(random.Random(f"{kind}/{kill.__name__}").randrange(1, 4) * shard_size)
    kill(service, job)
    watch.until_next_attempt()
    watch.until_step((watch.look().step or 0) + shard_size)
    assert service.client.post(f"/jobs/{job}/pause").status_code == 200
    service.wait_for(job, "paused")
    assert 0 < len(shards_of(service, job)) < len(undisturbed)
    assert service.client.post(f"/jobs/{job}/resume").status_code == 200
    shards = wait_for_shards(service, job)
    assert [name_and_sha256(shard) for shard in shards] == [name_and_sha256(shard) for shard in undisturbed]
    written = [event["data"]["name"] for event in watch.look().events if event["type"] == "shard"]
    assert written == [shard["name"] for shard in undisturbed], "no shard was written twice"
