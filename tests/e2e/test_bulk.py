"""Many pictures from a real service: they are those of /sample and /translate, and no kill changes a byte."""

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
from tests.support.kills import Blow, kill_runner, kill_service, kill_worker
from tests.support.png_chunks import without_text
from tests.support.service import Service
from tests.support.settings import new_home
from tests.support.watch import Watch
from tests.support.zips import saved

Array = NDArray[Any]
MODELS = {"cdcgan": "digits", "gan": "ring8", "pix2pix": "digits", "srgan": "digits", "cyclegan": "day2night"}
CLASSES = {"7": 7, "0": 2, "3": 4}
MANY: dict[str, dict[str, Any]] = {
    "generate": {"model": "slow-cdcgan", "n": 3000, "seed": 5, "shard": 100},
    "translate": {"model": "slow-pix2pix", "dataset": "digits", "format": "npz", "shard": 60},
}


@pytest.fixture(scope="module")
def service(start_service: StartService, tmp_path_factory: pytest.TempPathFactory) -> Service:
    """With models that have learned nothing: how well they draw is nothing to these tests."""
    home = tmp_path_factory.mktemp("bulk")
    with new_home(home):
        for family, dataset in MODELS.items():
            publish_vivid(family, dataset)
        publish_slow()
        publish_slow("pix2pix", width=256)
    return start_service(home)


def made(service: Service, **body: Any) -> tuple[str, list[dict[str, Any]]]:
    """The job once it has succeeded, and its shards."""
    job = service.post(**body)
    return job, finished(service, job)


def finished(service: Service, job: str) -> list[dict[str, Any]]:
    done = service.wait_for(job, "succeeded")
    found = shards_of(service, job)
    assert done["result"]["shards"] == len(found)
    assert done["progress"]["step"] == done["progress"]["total"] == found[-1]["step"]
    return found


def opened(service: Service, shard: dict[str, Any]) -> ZipFile:
    return ZipFile(io.BytesIO(service.client.get(shard["href"]).content))


def arrays(service: Service, shard: dict[str, Any]) -> dict[str, Array]:
    return dict(np.load(io.BytesIO(service.client.get(shard["href"]).content)))


def sampled(service: Service, **asked: Any) -> Array:
    reply = service.client.get("/sample", params={"format": "npy", **asked})
    assert reply.status_code == 200, reply.text
    drawn: Array = np.load(io.BytesIO(reply.content))
    return drawn


def test_pictures_in_zips_are_the_files_of_sample(service: Service) -> None:
    _, shards = made(service, kind="generate", model="cdcgan-digits", classes=CLASSES, seed=9, temperature=0.8, shard=5)
    assert [(shard["name"], shard["step"]) for shard in shards] == [
        ("shard-0000.zip", 5),
        ("shard-0001.zip", 10),
        ("shard-0002.zip", 13),
    ]
    files: dict[str, bytes] = {}
    rows: list[dict[str, str]] = []
    for shard in shards:
        with opened(service, shard) as archive:
            table = archive.read("labels.csv").decode()
            files |= {name: archive.read(name) for name in archive.namelist() if name != "labels.csv"}
            rows += csv.DictReader(io.StringIO(table))
    assert sorted(files) == [row["file"] for row in rows]
    assert "".join(row["label"] for row in rows) == "0370373737777", "the classes take turns"
    for name, n in CLASSES.items():
        asked = f"model=cdcgan-digits&class={name}&n={n}&seed=9&temperature=0.8&format=zip"
        with ZipFile(io.BytesIO(service.client.get(f"/sample?{asked}").content)) as archive:
            ours = {int(row["index"]): files[row["file"]] for row in rows if row["class"] == name}
            assert ours == {int(file[:4]): without_text(archive.read(file)) for file in archive.namelist()}


def test_arrays_and_labels_are_those_of_sample(service: Service) -> None:
    _, shards = made(service, kind="generate", model="cdcgan-digits@1", n=23, seed=3, format="npz", shard=10)
    found = [arrays(service, shard) for shard in shards]
    images = np.concatenate([one["images"] for one in found])
    labels = np.concatenate([one["labels"] for one in found])
    assert images.shape == (23, 16, 16, 1)
    assert [str(one.dtype) for one in (images, labels)] == ["uint8", "int64"]
    assert labels.tolist() == [*range(10), *range(10), 0, 1, 2], "as equal as possible, in turn"
    for label in range(10):
        own = images[labels == label]
        assert np.array_equal(own, sampled(service, **{"class": label}, n=len(own), seed=3, model="cdcgan-digits"))


def test_points_come_as_arrays(service: Service) -> None:
    _, (shard,) = made(service, kind="generate", model="gan-ring8", n=50, seed=2, format="npz")
    found = arrays(service, shard)
    assert found.keys() == {"points"}
    assert np.array_equal(found["points"], sampled(service, model="gan-ring8", n=50, seed=2))


def test_a_dataset_is_translated_as_its_pictures_are(service: Service) -> None:
    _, shards = made(service, kind="translate", model="srgan-digits", dataset="digits", format="npz", shard=1000)
    found = [arrays(service, shard) for shard in shards]
    assert np.array_equal(np.concatenate([one["labels"] for one in found]), load_digits().target)
    images = np.concatenate([one["images"] for one in found])
    for number in (0, 999, 1796):
        assert np.array_equal(images[number], translated(service, digit(number), model="srgan-digits"))


def test_the_second_pile_is_translated_back(service: Service) -> None:
    way = {"model": "cyclegan-day2night", "direction": "b2a"}
    job = service.post(kind="translate", dataset="day2night", format="npz", shard=2, **way)
    watch = Watch(service, job)
    watch.until_step(2)
    service.client.post(f"/jobs/{job}/cancel")
    service.wait_for(job, "cancelled")
    found = arrays(service, shards_of(service, job)[0])
    assert list(found) == ["images"], "a pile has no labels"
    nights = scene_tensors.pictures(range(scenes.NIGHT_SEEDS, scenes.NIGHT_SEEDS + 2), 64, night=True)
    for night, day in zip(nights.permute(0, 2, 3, 1).numpy(), found["images"], strict=True):
        assert np.array_equal(day, translated(service, night, **way))


def digit(number: int) -> Array:
    """As training has it at its own size."""
    raw = np.round(load_digits().images[number] * (255 / 16)).astype(np.uint8)
    return np.asarray(Image.fromarray(raw).resize((16, 16), Image.Resampling.BICUBIC))


def translated(service: Service, picture: Array, **way: str) -> Array:
    reply = service.client.post("/translate", files={"file": saved(Image.fromarray(picture))}, data=way)
    assert reply.status_code == 200, reply.text
    shown = np.asarray(Image.open(io.BytesIO(reply.content)))
    return shown.reshape(*shown.shape[:2], -1)


@pytest.mark.long
@pytest.mark.parametrize(
    ("kind", "blow"), [("generate", kill_runner), ("translate", kill_worker), ("generate", kill_service)]
)
def test_kills_and_pauses_change_no_byte(service: Service, kind: str, blow: Blow) -> None:
    unbroken = made(service, kind=kind, **MANY[kind])[1]
    shard = MANY[kind]["shard"]
    job = service.post(kind=kind, **MANY[kind])
    watch = Watch(service, job)
    watch.until_step(random.Random(f"{kind}/{blow.__name__}").randrange(1, 4) * shard)
    blow(service, job)
    watch.until_next_attempt()
    watch.until_step((watch.look().step or 0) + shard)
    assert service.client.post(f"/jobs/{job}/pause").status_code == 200
    service.wait_for(job, "paused")
    assert 0 < len(shards_of(service, job)) < len(unbroken)
    assert service.client.post(f"/jobs/{job}/resume").status_code == 200
    assert [named(one) for one in finished(service, job)] == [named(one) for one in unbroken]
    told = [event["data"]["name"] for event in watch.look().events if event["type"] == "shard"]
    assert told == [one["name"] for one in unbroken], "none was made twice"


def shards_of(service: Service, job: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = service.client.get(f"/jobs/{job}/artifacts?kind=shard").json()["data"]
    return found


def named(shard: dict[str, Any]) -> tuple[str, str]:
    return shard["name"], shard["sha256"]
