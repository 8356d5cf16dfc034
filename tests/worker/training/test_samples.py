"""Fixed-noise sheets fit the data and the game, change nothing, and are the same every time."""

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
from worker.training.loop import SAMPLES, sample_every
from worker.training.samples import Sheet, sample_sheet
from worker.training.trainer import Trainer


def begun(family: str, dataset: str, **overrides: Any) -> Trainer:
    torch.set_num_threads(1)
    recipe = resolve(family, dataset=dataset, seed=1, budget={"steps": 4}, overrides={"batch_size": 8} | overrides)[1]
    cpu = torch.device("cpu")
    trainer = Trainer(recipe, Batches(recipe, load(recipe.data, None), cpu), cpu, "fp32")
    trainer.advance()
    return trainer


def pixels(sheet: Sheet) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(sheet.draw())))


def has(picture: NDArray[np.uint8], colour: str) -> bool:
    return bool((np.abs(picture.astype(int) - ImageColor.getrgb(colour)).sum(axis=2) < 30).any())


@pytest.mark.parametrize(
    ("family", "dataset"),
    [("gan", "gaussian1d"), ("gan", "ring8"), ("gumbel_gan", "dyck"), ("vae", "digits"), ("gan", "digits")],
)
def test_a_sheet_is_the_same_again_and_leaves_no_trace(family: str, dataset: str) -> None:
    seen, unseen = begun(family, dataset), begun(family, dataset)
    first, second = sample_sheet(seen), sample_sheet(seen)
    assert (first.draw(), first.values) == (second.draw(), second.values)
    losses = [{name: loss.item() for name, loss in one.advance().items()} for one in (seen, unseen)]
    assert losses[0] == losses[1]
    if seen.critic is not None:
        assert seen.critic.network.training


def test_points_in_the_plane_lie_among_their_ringed_modes() -> None:
    picture = pixels(sample_sheet(begun("gan", "grid25")))
    assert picture.shape == (512, 512, 3)
    assert has(picture, MODE_COLOUR)


def test_points_on_a_line_are_the_figure_of_the_lectures() -> None:
    picture = pixels(sample_sheet(begun("gan", "gaussian1d")))
    assert picture.shape == (*line_size()[::-1], 3)
    assert has(picture[300:], MODE_COLOUR), "the critic, below"


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
def test_the_legend_says_what_of_the_critic_is_drawn(objective: dict[str, Any], curves: int, word: str) -> None:
    trainer = begun("gan", "gaussian1d", objective=objective)
    with torch.no_grad():
        judged = samples._judged(trainer, X, np.full_like(X, 0.5))
    assert len(judged) == curves
    label, curve = next(iter(judged.items()))
    assert word in label
    assert curve.shape == X.shape
    if word == "scaled":
        assert (curve.min(), curve.max()) == (0, 1)
    if "smoothing" in objective:
        assert judged[samples.OPTIMAL][0] == pytest.approx(0.45), "the best critic of smoothed targets says less"


@pytest.mark.parametrize("overrides", [{"game": {"packing": 2}}, {"critic": {"minibatch": "discrimination"}}])
def test_a_critic_that_sees_several_at_once_has_no_curve(overrides: dict[str, Any]) -> None:
    trainer = begun("gan", "gaussian1d", **overrides)
    assert samples._judged(trainer, X, X) == {}
    assert pixels(sample_sheet(trainer)).shape == (*line_size()[::-1], 3)


def test_strings_are_text_with_the_share_of_valid_ones() -> None:
    trainer = begun("gumbel_gan", "dyck")
    sheet = sample_sheet(trainer)
    width, height, _ = text_size(samples.STRINGS_SHOWN, 12)
    assert pixels(sheet).shape == (height, width, 3)
    assert sheet.values.keys() == {"sample/valid", "sample/distinct"}
    assert sheet.values["sample/valid"] < 0.05
    assert sheet.values["sample/distinct"] > 0.5

    def all_alike(z: torch.Tensor, label: None = None) -> torch.Tensor:
        return torch.nn.functional.one_hot(torch.tensor([0, 1] * 6), 4).float().expand(len(z), -1, -1)

    trainer.average.network.forward = all_alike
    assert sample_sheet(trainer).values == {"sample/valid": 1.0, "sample/distinct": 1 / samples.STRINGS}


@pytest.mark.parametrize("family", ["autoencoder", "vae"])
def test_the_reconstruction_game_shows_what_went_in_beside_what_came_out(family: str) -> None:
    trainer = begun(family, "digits")
    picture = pixels(sample_sheet(trainer))
    assert picture.shape == (8 * 17 - 1, 8 * 17 - 1)
    shown = trainer.batches.real[0, 0].numpy()
    assert np.abs(picture[:16, :16].astype(int) - shown).max() <= 1
    last = picture[-16:, -32 - 1 : -17].astype(int)
    went_in = np.abs(last - trainer.batches.real[31, 0].numpy()).max() <= 1
    assert went_in == (family == "autoencoder"), "a VAE also draws from noise, below"


def test_points_are_rebuilt_too() -> None:
    assert pixels(sample_sheet(begun("vae", "ring8"))).shape == (512, 512, 3)


@pytest.mark.parametrize(
    ("steps", "report_every", "every"),
    [(1000, 25, 25), (1000, 10, 30), (1000, 1, 25), (39, 1, 1), (41, 1, 2), (7, 9, 9)],
)
def test_a_job_draws_forty_samples_at_most(steps: int, report_every: int, every: int) -> None:
    recipe = resolve("gan", dataset="ring8", budget={"steps": steps}, overrides={"report_every": report_every})[1]
    assert sample_every(recipe) == every
    drawn = {step for step in range(1, steps + 1) if step % every == 0} | {steps}
    assert len(drawn) <= SAMPLES + 1
