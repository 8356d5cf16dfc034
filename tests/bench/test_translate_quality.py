"""The bench of translations, in small: a few scenes of 16 px, and two steps."""

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
    full = recipe(case, 1, 2)
    data = full.data.model_copy(update={"side": 16})
    generator = full.generator.model_copy(
        update={"width": 8} | ({"depth": 2} if "depth" in type(full.generator).model_fields else {})
    )
    assert isinstance(full.critic, PatchCritic)
    critic = full.critic.model_copy(update={"width": 8, "layers": 1})
    return full.model_copy(update={"data": data, "batch_size": 2, "generator": generator, "critic": critic})


def test_cases_resolve_on_paired_or_unpaired_scenes() -> None:
    kinds = {case: recipe(case, 3).data.kind for case in LEARNED}
    assert kinds == {case: "unpaired" if case.startswith("cyclegan") else "paired" for case in LEARNED}
    assert recipe("pix2pix to day", 3).seed == 3


def test_untouched_baseline_is_equal_in_both_directions() -> None:
    values = {(row.case, row.figure): row.value for row in translate_quality.baselines()}
    assert len(values) == 3 * len(FIGURES)
    untouched = [values["without learning: untouched", f"psnr to {way}"] for way in WAYS]
    assert untouched[0] == pytest.approx(untouched[1])


@pytest.mark.parametrize("case", LEARNED)
def test_learned_case_has_figures_of_its_directions(case: str) -> None:
    rows = list(translate_quality.learned(case, LEARNED[case], [tiny(case)], jobs=1))
    expected = [figure for figure in FIGURES if "pix2pix" not in case or figure.endswith(case.split()[-1])]
    assert [row.figure for row in rows] == [*expected, "seconds", "steps"]
    assert all(np.isfinite(row.value) for row in rows)


def test_figure_is_compared_with_the_best_baseline() -> None:
    rows = [Row("without learning: a", "psnr", 6.0), Row("without learning: b", "psnr", 18.0)]
    rows += [Row("pix2pix", "psnr", 25.0), Row("pix2pix", "steps", 10)]
    against = [row.against for row in translate_quality.held_against_the_best(rows)]
    assert against == [{}, {}, {"best baseline (difference)": 7.0}, {}]


def test_pix2pix_to_day_gets_night_pictures_as_inputs() -> None:
    scenes = datasets.load(Unpaired(dataset="day2night", side=16, channels=3), None, "test")
    (day, night), (to_day_inputs, to_day_targets) = (translate_quality._from_to(scenes, way) for way in WAYS)
    assert torch.equal(day, to_day_targets)
    assert torch.equal(night, to_day_inputs)
    assert day.mean() > night.mean()


def test_street_pictures_are_drawn_from_held_out_examples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder is laid out like CamVid and holds noise. Every class of a label picture gets its own colour."""
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
        output = tmp_path / "drawn.png"
        output.write_bytes(draw(tmp_path, 1))
        with Image.open(output) as picture:
            assert picture.mode == "RGB"
    assert len(np.unique(camvid._coloured(np.arange(12, dtype=np.uint8)), axis=0)) == 12
    assert json.loads(camvid.recipe("pix2pix", "paired", 5).model_dump_json())["data"]["dataset"] == "camvid"
