"""Draw the sample sheet of each report from the same fixed noise."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from data.batches import Batches, scaled
from data.images import Pixels, encode, levels, line_plot, scatter, sheet, text_sheet
from data.toy import MIXTURES, VALID, kernel_density, line_through, spell
from models.games.paired import paired_examples
from models.latent import cycling_labels, draw_latent
from models.nets.autoencoder import Autoencoder
from models.rng import Rng
from models.spec.datasets import DATASETS
from models.spec.games import Paired
from worker.evaluation.chunked import MADE, in_parts, part_of
from worker.evaluation.metrics.pictures import psnr
from worker.training.trainer import Trainer

SCATTER = 512
"""pixels of a side of a scatter plot"""
POINTS, POINTS_ON_A_LINE = 1000, 2000
STRINGS, STRINGS_SHOWN = 1000, 64
SEEN = 2e-3
"""density of real and made points together above which it can be said what the best critic would say"""
LOGITS = {"minimax", "non_saturating", "maximum_likelihood"}
"""objectives whose scores are logits: their critic has a probability to compare"""
OPTIMAL = "$p_{data}\\,/\\,(p_{data}+p_g)$,\nthe optimal $D$"
ROWS = 8
"""rows of a sheet; a column shows one class, or one picture with its translation"""


@dataclass(frozen=True)
class Sheet:
    """A picture, and figures that were read off what it shows. `draw` makes the PNG, in any thread and at any time."""

    draw: Callable[[], bytes]
    values: dict[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, pixels: Pixels, values: Mapping[str, float] = MappingProxyType({})) -> "Sheet":
        return cls(partial(encode, pixels), dict(values))


@torch.no_grad()
def sample_sheet(trainer: Trainer, beat: Callable[[], None] = lambda: None) -> Sheet:
    """What the averaged generator makes of fixed latents or of the first examples, as suits the data and the game.

    `beat` is called after each part of it.
    """
    recipe = trainer.recipe
    trainer.average.network.eval()
    if recipe.data.kind == "points":
        return Sheet(_points(trainer, beat))
    if recipe.data.kind == "sequences":
        return _strings(trainer, beat)
    if recipe.game.kind == "unpaired":
        return Sheet.of(sheet(_pairs(trainer.average.network, trainer.batches, beat), columns=4, gap=1))
    if isinstance(recipe.game, Paired):
        return _answers(recipe.game, trainer.average.network, trainer.batches, beat)
    if recipe.game.kind == "reconstruction":
        return Sheet.of(sheet(_rebuilt_pairs(trainer, beat), ROWS, gap=1))
    columns = min(recipe.classes, 10) or ROWS
    return Sheet.of(sheet(to_pixels(_fakes(trainer, ROWS * columns, beat, columns)), columns, gap=1))


def to_pixels(x: Tensor) -> Pixels:
    """[-1, 1] pictures [n, c, h, w] to uint8 [n, h, w, c]."""
    return levels(x.float().permute(0, 2, 3, 1).contiguous().cpu().numpy())


def _made(make: Callable[[slice], Tensor], n: int, like: Tensor, beat: Callable[[], None]) -> Tensor:
    """What `make` gives for n rows, on the CPU, in parts that are fewer examples where these are larger."""
    return torch.cat(list(in_parts(make, n, part_of(like.shape, MADE), beat)))


def _fakes(trainer: Trainer, n: int, beat: Callable[[], None], columns: int = 0) -> Tensor:
    """Of fixed latents; in the order of classes where `columns` shows them."""
    recipe = trainer.recipe
    z = draw_latent(recipe.latent, Rng(recipe.seed).stream("samples"), n).to(trainer.device)
    label = cycling_labels(recipe.classes and columns, n, z.device)
    network = trainer.average.network
    return _made(lambda rows: network(z[rows], None if label is None else label[rows]), n, trainer.batches.real, beat)


def _points(trainer: Trainer, beat: Callable[[], None]) -> Callable[[], bytes]:
    """In the plane a scatter plot with the true modes ringed; on a line densities, and the critic below."""
    mixture = MIXTURES[trainer.recipe.data.dataset]
    wanted = POINTS if mixture.modes.shape[1] == 2 else POINTS_ON_A_LINE
    rebuilds = trainer.recipe.game.kind == "reconstruction"
    points = (_rebuilt(trainer, wanted, beat)[1] if rebuilds else _fakes(trainer, wanted, beat)).numpy()
    if points.shape[1] == 2:
        truth = trainer.batches.real[:wanted].cpu().numpy()
        return lambda: encode(scatter(points, SCATTER, truth, mixture.modes))
    x = line_through(mixture)
    density, made = mixture.density(x[:, None]), kernel_density(points[:, 0], x)
    seen = density + made > SEEN
    optimal = np.divide(density, density + made, out=np.full_like(x, np.nan), where=seen)
    judged = _judged(trainer, x, optimal)
    return lambda: encode(line_plot(points[:, 0], x, density, judged))


def _judged(trainer: Trainer, x: NDArray[np.float64], optimal: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """By name what the critic says at places x, in [0, 1], and what the best critic would; {} where it sees several."""
    recipe = trainer.recipe
    game, objective = recipe.game, recipe.objective
    batchwise = getattr(recipe.critic, "minibatch", "none") != "none" or (game.kind == "synthesis" and game.packing > 1)
    if trainer.critic is None or objective is None or batchwise:
        return {}
    critic = trainer.critic.network.eval()
    said: Tensor = critic(torch.from_numpy(x).float()[:, None].to(trainer.device)).score
    critic.train()
    scores = said.float().cpu().numpy().reshape(len(x), -1)[:, 0]  # of twins the first
    best = optimal * (1 - getattr(objective, "smoothing", 0.0))
    if objective.kind in LOGITS:
        return {"$D(x)$: sigmoid of\nthe critic's score": 1 / (1 + np.exp(-scores)), OPTIMAL: best}
    if objective.kind == "least_squares":
        return {"$D(x)$: the critic's score": scores, OPTIMAL: best}
    low, high = scores.min(), scores.max()
    return {"the critic's score,\nscaled to 0 to 1": (scores - low) / max(1e-12, high - low)}


def _strings(trainer: Trainer, beat: Callable[[], None]) -> Sheet:
    """Strings as text, valid ones ticked; the share of valid ones, and of different ones, among more than are shown."""
    name = trainer.recipe.data.dataset
    symbols = _fakes(trainer, STRINGS, beat).argmax(dim=2).numpy()
    values = {"sample/distinct": len(np.unique(symbols, axis=0)) / STRINGS}
    valid = VALID[name](symbols) if name in VALID else None
    if valid is not None:
        values["sample/valid"] = float(valid.mean())
    shown = spell(symbols[:STRINGS_SHOWN], DATASETS[name].alphabet)
    return Sheet.of(text_sheet(shown, None if valid is None else valid[:STRINGS_SHOWN].tolist()), values)


def _rebuilt(trainer: Trainer, n: int, beat: Callable[[], None]) -> tuple[Tensor, Tensor]:
    """The first n examples and what comes out for them; a Gaussian code counts as its mean."""
    generator = trainer.average.network
    assert isinstance(generator, Autoencoder)
    real, size = trainer.batches.first(n).real, trainer.recipe.latent.size
    return real.cpu(), _made(lambda rows: generator(generator.encode(real[rows])[:, :size]), len(real), real, beat)


def _rebuilt_pairs(trainer: Trainer, beat: Callable[[], None]) -> Pixels:
    """Rows of four times (what went in, what came out); half of them drawn from noise where that can be done."""
    draws = trainer.recipe.generates
    pairs = torch.stack(_rebuilt(trainer, ROWS * 2 if draws else ROWS * 4, beat), dim=1).flatten(0, 1)
    return to_pixels(torch.cat([pairs, _fakes(trainer, ROWS * 4, beat)]) if draws else pairs)


def _pairs(generator: nn.Module, batches: Batches, beat: Callable[[], None]) -> Pixels:
    """Rows of (a, a made b, b, b made a)."""
    assert isinstance(generator, nn.ModuleDict)
    assert batches.other is not None
    n = min(4, len(batches.real), len(batches.other))
    a, b = (scaled(pile[:n]) for pile in (batches.real, batches.other))
    there = _made(lambda rows: generator["a2b"](a[rows]), len(a), a, beat)
    back = _made(lambda rows: generator["b2a"](b[rows]), len(b), b, beat)
    quadruples = torch.stack([a.cpu(), there, b.cpu(), back], dim=1)
    return to_pixels(quadruples.flatten(0, 1))


def _answers(game: Paired, generator: nn.Module, batches: Batches, beat: Callable[[], None]) -> Sheet:
    """Rows of (given, made, right answer), two a row, and how near what was made comes to it, in decibels."""
    asked = paired_examples(game, batches.first(2 * ROWS), Rng(batches.rng.seed).stream("samples"))
    answer, channels = asked.target.cpu(), asked.target.shape[1]
    made = _made(lambda rows: asked.part(rows).output_of(generator), len(answer), answer, beat)
    enlarged = F.interpolate(asked.input[:, :channels].cpu(), size=answer.shape[2:], mode="nearest")
    triples = torch.stack([enlarged.expand_as(answer), made, answer], dim=1)
    pixels = sheet(to_pixels(triples.flatten(0, 1)), columns=6, gap=1)
    return Sheet.of(pixels, {"sample/psnr": psnr(made, answer)})
