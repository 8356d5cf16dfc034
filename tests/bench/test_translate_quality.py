"""The bench of translations in small: a few scenes of 16 px, two steps."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from bench import camvid, runs, translate_quality
from bench.results import Row
from bench.translate_quality import LEARNED, WAYS, recipe
from data.readers import builtin as datasets
from data.readers.builtin import Data, Split
from models.spec.data import DataSpec, Unpaired
from models.spec.nets import PatchCritic
from models.spec.recipe import Recipe

FIGURES = [f"{figure} to {way}" for way in WAYS for figure in ("psnr", "ssim")]


@pytest.fixture(autouse=True)
def few_small_scenes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def load(spec: DataSpec, root: Path | None, split: Split = "train") -> Data:
        return datasets.load(spec.model_copy(update={"side": 16}), root, split)

    monkeypatch.setattr(datasets, "SCENE_COUNTS", {"train": 12, "test": 6})
    monkeypatch.setattr(translate_quality, "load", load)
    monkeypatch.setattr(runs, "load", load)
    monkeypatch.setattr(runs, "CACHE", tmp_path / "runs")


def tiny(case: str) -> Recipe:
    made = recipe(case, 1, 2)
    data = made.data.model_copy(update={"side": 16})
    generator = made.generator.model_copy(
        update={"width": 8} | ({"depth": 2} if "depth" in type(made.generator).model_fields else {})
    )
    assert isinstance(made.critic, PatchCritic)
    critic = made.critic.model_copy(update={"width": 8, "layers": 1})
    return made.model_copy(update={"data": data, "batch_size": 2, "generator": generator, "critic": critic})


def test_both_families_resolve_on_the_scenes() -> None:
    kinds = {case: recipe(case, 3).data.kind for case in LEARNED}
    assert kinds == {case: "unpaired" if case.startswith("cyclegan") else "paired" for case in LEARNED}
    assert recipe("pix2pix to day", 3).seed == 3


def test_an_untouched_picture_is_as_far_from_the_truth_either_way() -> None:
    found = {(row.case, row.figure): row.value for row in translate_quality.baselines()}
    assert len(found) == 3 * len(FIGURES)
    untouched = [found["without learning: untouched", f"psnr to {way}"] for way in WAYS]
    assert untouched[0] == pytest.approx(untouched[1])


@pytest.mark.parametrize("case", LEARNED)
def test_each_learns_its_own_direction_and_is_told(case: str) -> None:
    rows = list(translate_quality.learned(case, LEARNED[case], [tiny(case)], jobs=1))
    own = [figure for figure in FIGURES if "pix2pix" not in case or figure.endswith(case.split()[-1])]
    assert [row.figure for row in rows] == [*own, "seconds", "steps"]
    assert all(np.isfinite(row.value) for row in rows)


def test_a_figure_is_held_against_the_best_that_needs_no_learning() -> None:
    rows = [Row("without learning: a", "psnr", 6.0), Row("without learning: b", "psnr", 18.0)]
    rows += [Row("pix2pix", "psnr", 25.0), Row("pix2pix", "steps", 10)]
    against = [row.against for row in translate_quality.held_against_the_best(rows)]
    assert against == [{}, {}, {"best baseline (difference)": 7.0}, {}]


def test_pix2pix_to_day_is_given_nights() -> None:
    scenes = datasets.load(Unpaired(dataset="day2night", side=16, channels=3), None, "test")
    (day, night), (given, wanted) = (translate_quality._from_to(scenes, way) for way in WAYS)
    assert torch.equal(day, wanted)
    assert torch.equal(night, given)
    assert day.mean() > night.mean()


def test_streets_are_drawn_of_what_was_held_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder like CamVid's, of noise; pictures come out, and of label pictures no class is lost."""
    monkeypatch.setattr(camvid, "HELD_OUT", 2)
    noise = np.random.default_rng(1)
    for split in ("train", "test"):
        for folder, shape, top in ((split, (48, 64, 3), 256), (f"{split}annot", (48, 64), 12)):
            (tmp_path / folder).mkdir()
            for number in range(4):
                pixels = noise.integers(top, size=shape, dtype=np.uint8)
                Image.fromarray(pixels).save(tmp_path / folder / f"{number}.png")
    for name in camvid.LISTS.values():
        (tmp_path / name).write_text("".join(f"train/{number}.png\n" for number in range(4)))
    for draw in (camvid.day_from_dusk, camvid.street_from_labels):
        drawn = tmp_path / "drawn.png"
        drawn.write_bytes(draw(tmp_path, 1))
        with Image.open(drawn) as picture:
            assert picture.mode == "RGB"
    assert len(np.unique(camvid._coloured(np.arange(12, dtype=np.uint8)), axis=0)) == 12
    assert json.loads(camvid.recipe("pix2pix", "paired", 5).model_dump_json())["data"]["dataset"] == "camvid"
