"""Sample sheets: they fit the data and the game, do not change the training, and are equal each time."""

import io
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image, ImageColor

from data.batches import Batches
from data.images import MODE_COLOUR, line_size, text_size
from data.readers.builtin import load
from data.toy import MIXTURES, line_through
from models.spec.resolve import resolve
from worker.training import samples
from worker.training.loop import MAX_SAMPLE_SHEETS, sample_every
from worker.training.samples import SampleSheet, sample_sheet
from worker.training.trainer import Trainer


def trainer_after_a_step(family: str, dataset: str, **overrides: Any) -> Trainer:
    torch.set_num_threads(1)
    recipe = resolve(family, dataset=dataset, seed=1, budget={"steps": 4}, overrides={"batch_size": 8} | overrides)[1]
    cpu = torch.device("cpu")
    trainer = Trainer(recipe, Batches(recipe, load(recipe.data, None), cpu), cpu, "fp32")
    trainer.advance()
    return trainer


def pixels_of(sheet: SampleSheet) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(sheet.draw())))


def has_colour(picture: NDArray[np.uint8], colour: str) -> bool:
    return bool((np.abs(picture.astype(int) - ImageColor.getrgb(colour)).sum(axis=2) < 30).any())


@pytest.mark.parametrize(
    ("family", "dataset"),
    [("gan", "gaussian1d"), ("gan", "ring8"), ("gumbel_gan", "dyck"), ("vae", "digits"), ("gan", "digits")],
)
def test_sample_sheet_is_reproducible_and_does_not_change_the_training(family: str, dataset: str) -> None:
    sampled, unsampled = trainer_after_a_step(family, dataset), trainer_after_a_step(family, dataset)
    first, second = sample_sheet(sampled), sample_sheet(sampled)
    assert (first.draw(), first.values) == (second.draw(), second.values)
    losses = [{name: loss.item() for name, loss in trainer.advance().items()} for trainer in (sampled, unsampled)]
    assert losses[0] == losses[1]
    if sampled.critic is not None:
        assert sampled.critic.network.training


def test_sheet_of_points_in_the_plane_shows_the_true_modes() -> None:
    picture = pixels_of(sample_sheet(trainer_after_a_step("gan", "grid25")))
    assert picture.shape == (512, 512, 3)
    assert has_colour(picture, MODE_COLOUR)


def test_sheet_of_points_on_a_line_shows_the_curve_of_the_critic() -> None:
    picture = pixels_of(sample_sheet(trainer_after_a_step("gan", "gaussian1d")))
    assert picture.shape == (*line_size()[::-1], 3)
    assert has_colour(picture[300:], MODE_COLOUR), "the critic's curve is in the lower part"


X = line_through(MIXTURES["gaussian1d"])


@pytest.mark.parametrize(
    ("objective", "curves", "word"),
    [
        ({"kind": "non_saturating", "smoothing": 0.1}, 2, "sigmoid"),
        ({"kind": "minimax"}, 2, "sigmoid"),
        ({"kind": "least_squares"}, 2, "critic's score"),
        ({"kind": "hinge"}, 1, "scaled"),
        ({"kind": "relativistic"}, 1, "scaled"),
        ({"kind": "d2gan"}, 1, "scaled"),
    ],
)
def test_legend_names_the_scale_of_the_critics_curve(objective: dict[str, Any], curves: int, word: str) -> None:
    trainer = trainer_after_a_step("gan", "gaussian1d", objective=objective)
    with torch.no_grad():
        curves_by_label = samples._critic_curves(trainer, X, np.full_like(X, 0.5))
    assert len(curves_by_label) == curves
    label, curve = next(iter(curves_by_label.items()))
    assert word in label
    assert curve.shape == X.shape
    if word == "scaled":
        assert (curve.min(), curve.max()) == (0, 1)
    if "smoothing" in objective:
        assert curves_by_label[samples.OPTIMAL_CURVE][0] == pytest.approx(0.45), "smoothed targets: 0.9 / 2"


@pytest.mark.parametrize("overrides", [{"game": {"packing": 2}}, {"critic": {"minibatch": "discrimination"}}])
def test_critic_that_compares_several_examples_has_no_curve(overrides: dict[str, Any]) -> None:
    trainer = trainer_after_a_step("gan", "gaussian1d", **overrides)
    assert samples._critic_curves(trainer, X, X) == {}
    assert pixels_of(sample_sheet(trainer)).shape == (*line_size()[::-1], 3)


def test_sheet_of_strings_is_text_with_shares_of_valid_and_distinct_ones() -> None:
    trainer = trainer_after_a_step("gumbel_gan", "dyck")
    sheet = sample_sheet(trainer)
    width, height, _ = text_size(samples.STRINGS_SHOWN, 12)
    assert pixels_of(sheet).shape == (height, width, 3)
    assert sheet.values.keys() == {"sample/valid", "sample/distinct"}
    assert sheet.values["sample/valid"] < 0.05
    assert sheet.values["sample/distinct"] > 0.5

    def draw_equal_strings(z: torch.Tensor, label: None = None) -> torch.Tensor:
        return torch.nn.functional.one_hot(torch.tensor([0, 1] * 6), 4).float().expand(len(z), -1, -1)

    trainer.average.network.forward = draw_equal_strings
    assert sample_sheet(trainer).values == {"sample/valid": 1.0, "sample/distinct": 1 / samples.STRINGS_COUNTED}


@pytest.mark.parametrize("family", ["autoencoder", "vae"])
def test_reconstruction_sheet_shows_inputs_beside_outputs(family: str) -> None:
    trainer = trainer_after_a_step(family, "digits")
    picture = pixels_of(sample_sheet(trainer))
    assert picture.shape == (8 * 17 - 1, 8 * 17 - 1)
    first_input = trainer.batches.real[0, 0].numpy()
    assert np.abs(picture[:16, :16].astype(int) - first_input).max() <= 1
    last = picture[-16:, -32 - 1 : -17].astype(int)
    is_input = np.abs(last - trainer.batches.real[31, 0].numpy()).max() <= 1
    assert is_input == (family == "autoencoder"), "the lower half of a VAE's sheet is drawn from noise"


def test_reconstruction_sheet_of_points_is_a_scatter_plot() -> None:
    assert pixels_of(sample_sheet(trainer_after_a_step("vae", "ring8"))).shape == (512, 512, 3)


@pytest.mark.parametrize(
    ("steps", "report_every", "every"),
    [(1000, 25, 25), (1000, 10, 30), (1000, 1, 25), (39, 1, 1), (41, 1, 2), (7, 9, 9)],
)
def test_job_draws_at_most_forty_sheets_and_the_last(steps: int, report_every: int, every: int) -> None:
    recipe = resolve("gan", dataset="ring8", budget={"steps": steps}, overrides={"report_every": report_every})[1]
    assert sample_every(recipe) == every
    drawn = {step for step in range(1, steps + 1) if step % every == 0} | {steps}
    assert len(drawn) <= MAX_SAMPLE_SHEETS + 1
