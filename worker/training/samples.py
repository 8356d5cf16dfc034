"""Draw the sample sheet of a report, from the same fixed noise every time."""

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
from data.images import encode, line_plot, scatter, sheet, text_sheet
from data.levels import Pixels, levels
from data.toy import MIXTURES, VALID, kernel_density, line_through, spell
from models.games.paired import paired_examples
from models.latent import cycling_labels, draw_latent
from models.nets.autoencoder import Autoencoder
from models.rng import Rng
from models.spec.datasets import DATASETS
from models.spec.games import Paired
from models.spec.recipe import Recipe
from worker.evaluation.chunked import GENERATED_PIXELS, chunk_size, run_in_chunks
from worker.evaluation.metrics.pictures import psnr
from worker.training.probe_document import LOGIT_OBJECTIVES
from worker.training.trainer import Trainer

SCATTER_SIDE = 512
"""pixels of a side of a scatter plot"""
POINTS_IN_PLANE, POINTS_ON_LINE = 1000, 2000
"""generated points that are drawn"""
STRINGS_COUNTED, STRINGS_SHOWN = 1000, 64
"""generated strings that the figures count, and those that the sheet shows"""
MIN_DENSITY = 2e-3
"""density of real and generated points together above which the optimal critic is drawn"""
OPTIMAL_CURVE = "$p_{data}\\,/\\,(p_{data}+p_g)$,\nthe optimal $D$"
"""legend of the optimal critic's curve"""
SHEET_ROWS = 8
"""rows of a sheet; a column shows one class, or one picture with its translation"""


@dataclass(frozen=True)
class SampleSheet:
    """A picture of generated examples, and figures of them. `draw` returns it as PNG, in any thread and at any time."""

    draw: Callable[[], bytes]
    values: dict[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, pixels: Pixels, values: Mapping[str, float] = MappingProxyType({})) -> "SampleSheet":
        return cls(partial(encode, pixels), dict(values))


@torch.no_grad()
def sample_sheet(trainer: Trainer, beat: Callable[[], None] = lambda: None) -> SampleSheet:
    """Run the averaged generator on fixed latents or on the first examples, and return a sheet of the results.

    The kind of data and the game decide which of both. Call `beat` after each part.
    """
    recipe = trainer.recipe
    trainer.average.network.eval()
    if recipe.data.kind == "points":
        return SampleSheet(_points_plot(trainer, beat))
    if recipe.data.kind == "sequences":
        return _strings_sheet(trainer, beat)
    if recipe.game.kind == "unpaired":
        return SampleSheet.of(
            sheet(_translation_rows(trainer.average.network, trainer.batches, beat), columns=4, gap=1)
        )
    if isinstance(recipe.game, Paired):
        return _answer_sheet(recipe.game, trainer.average.network, trainer.batches, beat)
    if recipe.game.kind == "reconstruction":
        return SampleSheet.of(sheet(_reconstruction_pairs(trainer, beat), SHEET_ROWS, gap=1))
    columns = min(recipe.classes, 10) or SHEET_ROWS
    return SampleSheet.of(
        sheet(to_pixels(_generate_fakes(trainer, SHEET_ROWS * columns, beat, columns)), columns, gap=1)
    )


def to_pixels(x: Tensor) -> Pixels:
    """Convert pictures [n, c, h, w] in [-1, 1] to uint8 [n, h, w, c]."""
    return levels(x.float().permute(0, 2, 3, 1).contiguous().cpu().numpy())


def _generate(make: Callable[[slice], Tensor], n: int, like: Tensor, beat: Callable[[], None]) -> Tensor:
    """Run `make` on n rows in chunks and return the results on the CPU. Chunks of larger examples have fewer rows."""
    return torch.cat(list(run_in_chunks(make, n, chunk_size(like.shape, GENERATED_PIXELS), beat)))


def _generate_fakes(trainer: Trainer, n: int, beat: Callable[[], None], columns: int = 0) -> Tensor:
    """Generate n examples from fixed latents; with `columns`, the classes cycle through so many."""
    recipe = trainer.recipe
    z = draw_latent(recipe.latent, Rng(recipe.seed).stream("samples"), n).to(trainer.device)
    label = cycling_labels(recipe.classes and columns, n, z.device)
    network = trainer.average.network
    return _generate(
        lambda rows: network(z[rows], None if label is None else label[rows]), n, trainer.batches.real, beat
    )


def _points_plot(trainer: Trainer, beat: Callable[[], None]) -> Callable[[], bytes]:
    """Plot points: a scatter plot with the true modes ringed in the plane, densities above the critic on a line."""
    mixture = MIXTURES[trainer.recipe.data.dataset]
    n = POINTS_IN_PLANE if mixture.modes.shape[1] == 2 else POINTS_ON_LINE
    reconstructs = trainer.recipe.game.kind == "reconstruction"
    points = (_reconstruct(trainer, n, beat)[1] if reconstructs else _generate_fakes(trainer, n, beat)).numpy()
    if points.shape[1] == 2:
        real = trainer.batches.real[:n].cpu().numpy()
        return lambda: encode(scatter(points, SCATTER_SIDE, real, mixture.modes))
    x = line_through(mixture)
    density, fake_density = mixture.density(x[:, None]), kernel_density(points[:, 0], x)
    total = density + fake_density
    optimal = np.divide(density, total, out=np.full_like(x, np.nan), where=total > MIN_DENSITY)
    curves = _critic_curves(trainer, x, optimal)
    return lambda: encode(line_plot(points[:, 0], x, density, curves))


def judges_single_examples(recipe: Recipe) -> bool:
    """Return whether the critic, if there is one, judges each example by itself."""
    packed = recipe.game.kind == "synthesis" and recipe.game.packing > 1
    return not packed and getattr(recipe.critic, "minibatch", "none") == "none"


def _critic_curves(
    trainer: Trainer, x: NDArray[np.float64], optimal: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    """Return by legend the critic's and the optimal critic's verdicts at points x [n], in [0, 1].

    Return {} for a game without a critic, and for a critic that looks at several examples at once.
    """
    objective = trainer.recipe.objective
    if trainer.critic is None or objective is None or not judges_single_examples(trainer.recipe):
        return {}
    critic = trainer.critic.network.eval()
    score: Tensor = critic(torch.from_numpy(x).float()[:, None].to(trainer.device)).score
    critic.train()
    scores = score.float().cpu().numpy().reshape(len(x), -1)[:, 0]  # D2GAN's critic has two scores: take the first
    smoothed = optimal * (1 - getattr(objective, "smoothing", 0.0))
    if objective.kind in LOGIT_OBJECTIVES:
        return {"$D(x)$: sigmoid of\nthe critic's score": 1 / (1 + np.exp(-scores)), OPTIMAL_CURVE: smoothed}
    if objective.kind == "least_squares":
        return {"$D(x)$: the critic's score": scores, OPTIMAL_CURVE: smoothed}
    low, high = scores.min(), scores.max()
    return {"the critic's score,\nscaled to 0 to 1": (scores - low) / max(1e-12, high - low)}


def _strings_sheet(trainer: Trainer, beat: Callable[[], None]) -> SampleSheet:
    """Show strings as text, valid ones ticked; count valid and different ones among STRINGS_COUNTED."""
    name = trainer.recipe.data.dataset
    symbols = _generate_fakes(trainer, STRINGS_COUNTED, beat).argmax(dim=2).numpy()
    values = {"sample/distinct": len(np.unique(symbols, axis=0)) / STRINGS_COUNTED}
    valid = VALID[name](symbols) if name in VALID else None
    if valid is not None:
        values["sample/valid"] = float(valid.mean())
    shown = spell(symbols[:STRINGS_SHOWN], DATASETS[name].alphabet)
    return SampleSheet.of(text_sheet(shown, None if valid is None else valid[:STRINGS_SHOWN].tolist()), values)


def _reconstruct(trainer: Trainer, n: int, beat: Callable[[], None]) -> tuple[Tensor, Tensor]:
    """Return the first n examples and their reconstructions; a Gaussian code is replaced by its mean."""
    generator = trainer.average.network
    assert isinstance(generator, Autoencoder)
    real, size = trainer.batches.first(n).real, trainer.recipe.latent.size
    return real.cpu(), _generate(lambda rows: generator(generator.encode(real[rows])[:, :size]), len(real), real, beat)


def _reconstruction_pairs(trainer: Trainer, beat: Callable[[], None]) -> Pixels:
    """Return rows of four pairs (example, reconstruction); the lower half are fakes if the model draws from noise."""
    draws = trainer.recipe.generates
    pairs = torch.stack(_reconstruct(trainer, SHEET_ROWS * 2 if draws else SHEET_ROWS * 4, beat), dim=1).flatten(0, 1)
    return to_pixels(torch.cat([pairs, _generate_fakes(trainer, SHEET_ROWS * 4, beat)]) if draws else pairs)


def _translation_rows(generator: nn.Module, batches: Batches, beat: Callable[[], None]) -> Pixels:
    """Return rows of (a, a translated to b, b, b translated to a)."""
    assert isinstance(generator, nn.ModuleDict)
    assert batches.other is not None
    n = min(4, len(batches.real), len(batches.other))
    a, b = (scaled(domain[:n]) for domain in (batches.real, batches.other))
    fake_b = _generate(lambda rows: generator["a2b"](a[rows]), len(a), a, beat)
    fake_a = _generate(lambda rows: generator["b2a"](b[rows]), len(b), b, beat)
    quadruples = torch.stack([a.cpu(), fake_b, b.cpu(), fake_a], dim=1)
    return to_pixels(quadruples.flatten(0, 1))


def _answer_sheet(game: Paired, generator: nn.Module, batches: Batches, beat: Callable[[], None]) -> SampleSheet:
    """Show triples (input, output, target), two a row, and measure the outputs' PSNR in decibels."""
    examples = paired_examples(game, batches.first(2 * SHEET_ROWS), Rng(batches.rng.seed).stream("samples"))
    target, channels = examples.target.cpu(), examples.target.shape[1]
    output = _generate(lambda rows: examples.part(rows).output_of(generator), len(target), target, beat)
    enlarged = F.interpolate(examples.input[:, :channels].cpu(), size=target.shape[2:], mode="nearest")
    triples = torch.stack([enlarged.expand_as(target), output, target], dim=1)
    pixels = sheet(to_pixels(triples.flatten(0, 1)), columns=6, gap=1)
    return SampleSheet.of(pixels, {"sample/psnr": psnr(output, target)})
