"""Defaults for photographs: crops at their own scale, and no more prepared pixels than a disk should hold."""

from dataclasses import replace
from typing import Any

import pytest

from models.spec.datasets import DATASETS, MAX_PREPARED_BYTES, DatasetInfo
from models.spec.families import FAMILIES
from models.spec.recipe import Recipe
from models.spec.resolve import resolve

STREETS = DatasetInfo("streets", "", "unpaired", 64, 3, (), 172, "", uploaded=True, shorter_edge=360)
PAIRS = replace(STREETS, kind="paired", size=86)


def recipe_on(info: DatasetInfo, family: str = "cyclegan", **overrides: Any) -> Recipe:
    return resolve(family, dataset="streets", overrides=overrides, datasets=DATASETS | {"streets": info})[1]


@pytest.mark.parametrize(
    ("info", "crops"),
    [
        (STREETS, (128, 360, True)),
        (replace(STREETS, shorter_edge=3000), (128, 512, True)),
        (replace(STREETS, shorter_edge=160), (128, 160, True)),
        (replace(STREETS, shorter_edge=159), (64, None, False)),
        (replace(STREETS, shorter_edge=0), (64, None, False)),
        (replace(STREETS, kind="images"), (64, None, False)),
        (PAIRS, (128, 360, False)),
    ],
)
def test_photographs_are_trained_on_in_crops(info: DatasetInfo, crops: tuple[int, int | None, bool]) -> None:
    family = {"unpaired": "cyclegan", "paired": "pix2pix", "images": "dcgan"}[info.kind]
    data: Any = recipe_on(info, family).data
    assert (data.side, getattr(data, "load", None), getattr(data, "flip", False)) == crops


def test_many_photographs_are_prepared_smaller_to_stay_below_the_disk_limit() -> None:
    many = replace(STREETS, size=10_000)
    data: Any = recipe_on(many).data
    assert data.load == 267
    assert many.size * 3 * data.load**2 <= MAX_PREPARED_BYTES < many.size * 3 * (data.load + 1) ** 2
    assert recipe_on(replace(STREETS, size=100_000)).data.prepared_side == 64  # type: ignore[union-attr]
    data = recipe_on(replace(PAIRS, size=5_000), "pix2pix").data
    assert data.load == 267


def test_default_network_is_small_and_published_sizes_give_the_published_one() -> None:
    small, published = recipe_on(STREETS), recipe_on(STREETS, data={"side": 256, "load": 286})
    assert small.generator.width == 16  # type: ignore[union-attr]
    assert small.budget.steps == 3000
    assert published.generator.blocks == 9  # type: ignore[union-attr]
    assert (published.batch_size, published.budget.steps) == (1, 100_000)
    whole = recipe_on(STREETS, data={"side": 128, "load": None, "flip": False})
    assert whole.generator.blocks == 6, "as in the paper, for pictures of 128 px"  # type: ignore[union-attr]
    assert recipe_on(PAIRS, "pix2pix").generator.width == 32  # type: ignore[union-attr]


def test_load_and_side_are_dials_of_the_translators() -> None:
    for name, family in FAMILIES.items():
        paths = {dial.path for dial in family.dials}
        assert ({"/data/side", "/data/load"} <= paths) == (name in {"cyclegan", "pix2pix"}), name


def test_whole_recipe_takes_the_size_of_the_dataset_it_is_sent_with() -> None:
    sent = resolve("cyclegan")[1].model_dump(mode="json")
    taken = resolve(sent, dataset="streets", datasets=DATASETS | {"streets": STREETS})[1]
    assert taken.data == STREETS.spec()
