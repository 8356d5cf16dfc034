"""The fixed-noise sheet of each report: the same latents every time, so that progress can be seen."""

from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.export import cycling_labels
from models.latent import draw_latent
from models.paired import ask
from models.picture import Pixels, encode, scatter, sheet
from models.rng import Rng
from models.spec.games import Paired
from models.spec.recipe import Recipe
from worker.training.batches import Batches
from worker.training.trainer import Trainer

SCATTER = 512
"""pixels of a side of a scatter plot"""
ROWS = 8
"""rows of a sheet; a column shows one class, or one picture with its translation"""


@dataclass(frozen=True)
class Sheet:
    """A PNG, and figures that were read off what it shows."""

    png: bytes
    values: dict[str, float] = field(default_factory=dict)


@torch.no_grad()
def sample_sheet(trainer: Trainer) -> Sheet:
    """Pictures in columns of one class, points as a scatter plot, or a row of pairs for translators."""
    recipe, batches, generator = trainer.recipe, trainer.batches, trainer.average.network.eval()
    if recipe.data.kind == "points":
        fakes = _fakes(recipe, generator, batches, 1000)
        return Sheet(encode(scatter(fakes.numpy(), SCATTER, batches.real[:1000].cpu().numpy())))
    if recipe.game.kind == "unpaired":
        return Sheet(encode(sheet(_pairs(generator, batches), columns=4, gap=1)))
    if isinstance(recipe.game, Paired):
        return _answers(recipe.game, generator, batches)
    columns = min(recipe.classes, 10) or ROWS
    fakes = _fakes(recipe, generator, batches, ROWS * columns, columns)
    return Sheet(encode(sheet(to_pixels(fakes), columns, gap=1)))


def to_pixels(x: Tensor) -> Pixels:
    """[-1, 1] pictures [n, c, h, w] to uint8 [n, h, w, c]."""
    scaled = (x.float().clamp(-1, 1) * 127.5 + 127.5).round().to(torch.uint8)
    pixels: Pixels = scaled.permute(0, 2, 3, 1).cpu().numpy()
    return pixels


def _fakes(recipe: Recipe, generator: nn.Module, batches: Batches, n: int, columns: int = 0) -> Tensor:
    z = draw_latent(recipe.latent, Rng(recipe.seed).stream("samples"), n).to(batches.real.device)
    label = cycling_labels(recipe.classes and columns, n, z.device)
    fakes: Tensor = generator(z, label)
    return fakes.float().cpu()


def _pairs(generator: nn.Module, batches: Batches) -> Pixels:
    """Rows of (a, a made b, b, b made a)."""
    assert isinstance(generator, nn.ModuleDict)
    assert batches.other is not None
    a, b = (pile[:4].float() / 127.5 - 1 for pile in (batches.real, batches.other))
    quadruples = torch.stack([a, generator["a2b"](a), b, generator["b2a"](b)], dim=1)
    return to_pixels(quadruples.flatten(0, 1))


def _answers(game: Paired, generator: nn.Module, batches: Batches) -> Sheet:
    """Rows of (given, made, right answer), two a row, and how near what was made comes to it, in decibels."""
    asked = ask(game, batches.first(2 * ROWS), Rng(batches.rng.seed).stream("samples"))
    made, channels = asked.answered_by(generator).float(), asked.answer.shape[1]
    enlarged = F.interpolate(asked.given[:, :channels], size=asked.answer.shape[2:], mode="nearest")
    triples = torch.stack([enlarged.expand_as(asked.answer), made, asked.answer], dim=1)
    png = encode(sheet(to_pixels(triples.flatten(0, 1)), columns=6, gap=1))
    return Sheet(png, {"sample/psnr": psnr(made, asked.answer)})


def psnr(made: Tensor, wanted: Tensor) -> float:
    """Peak signal-to-noise ratio in decibels of pictures in [-1, 1], the mean over them; 100 at most."""
    error = (made - wanted).square().flatten(1).mean(1) / 4
    return float((-10 * error.clamp(min=1e-10).log10()).mean())
