"""A published generator in memory, which is searched for the latents of given pictures by gradients."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from data.levels import full_level
from models.build import count_parameters
from models.export import load_generator
from models.features import FeatureExtractor
from serving.attempts import HEAD
from serving.features import read_critic
from serving.fuse_batchnorm import fuse_batch_norms
from serving.loaded import SINGLE_THREAD_WEIGHTS, bytes_of
from serving.protocol import Array, CriticFile, Turns

RATE = 0.1
"""Adam's learning rate at the first step, in units of the prior's scale; it falls to 0 as a half cosine"""
BETAS = 0.9, 0.999
EPSILON = 1e-8
PRIOR_WEIGHT = 0.02
"""weight of the mean square of a normal latent, in units of the prior's scale, if a part of the picture is unknown"""
PIXELS_PER_TURN = 1 << 15
"""most pixels of the pictures of a turn, but one picture at least"""
ATTEMPTS_PER_TURN = 32


@dataclass(frozen=True)
class _Target:
    """The picture of a search: pixels in [-1, 1], a mask that is 1 where they are known, and features of that part."""

    pixels: Tensor
    known: Tensor
    features: Tensor | None
    prior_weight: float


class LoadedSearcher:
    """A generator, and the critic if its features are compared, with gradients for latents."""

    @torch.inference_mode(mode=False)
    def __init__(self, export: Path, critic: CriticFile | None, device: torch.device, threads: int) -> None:
        """Load the networks. Raises ExportFlawed with the checkpoint's sha256 if the critic is gone."""
        self._recipe, _, generator = load_generator(export)
        fuse_batch_norms(generator)
        self._generator = generator.to(device)
        self._extractor: FeatureExtractor | None = None if critic is None else read_critic(export, critic).to(device)
        self.bytes = bytes_of(generator) + (0 if self._extractor is None else bytes_of(self._extractor))
        self._device = device
        self._threads = 1 if count_parameters(generator) < SINGLE_THREAD_WEIGHTS else threads

    def steps(self, picture: Array, attempts: Array, turns: Turns) -> Iterator[Array | None]:
        """Advance attempts (serving.attempts) at levels [side, side, channels + 1] of a picture; yield them in the end.

        The last channel is 0 where pixels are known. The others have no error, and the features are those of pictures
        that are grey there. Each step minimises the mean squared error of the known pixels, and that of the features,
        by Adam. If there are unknown pixels, a latent that is improbable under a normal prior counts as an error too:
        otherwise the search leaves the prior to fit the known pixels. Attempts do not influence each other. It yields
        None after each turn before the last.
        """
        rows = attempts.copy()
        size = (rows.shape[1] - HEAD) // 3
        n = max(1, min(ATTEMPTS_PER_TURN, PIXELS_PER_TURN // (picture.shape[0] * picture.shape[1])))
        target = self._target(picture)
        for step in range(turns.begin, turns.begin + max(turns.steps, 1)):
            for start in range(0, len(rows), n):
                torch.set_num_threads(self._threads)
                self._advance(rows[start : start + n], size, target, turns, step)
                yield None
        yield rows

    @torch.inference_mode(mode=False)
    def _target(self, picture: Array) -> _Target:
        levels = torch.from_numpy(picture).to(self._device).permute(2, 0, 1)[None].float()
        known = (levels[:, -1:] == 0).float()
        pixels = levels[:, :-1] / (full_level(picture) / 2) - 1
        features = None if self._extractor is None else self._extractor(pixels * known)
        has_prior = self._recipe.generates and self._recipe.latent.kind == "normal"
        return _Target(pixels, known, features, PRIOR_WEIGHT if has_prior and not known.all() else 0.0)

    @torch.inference_mode(mode=False)
    def _advance(self, rows: Array, size: int, target: _Target, turns: Turns, step: int) -> None:
        """Measure the errors of rows and take a step, in place."""
        labels = torch.from_numpy(rows[:, 0].astype(np.int64)).to(self._device) if self._recipe.classes else None
        z, first, second = (
            torch.from_numpy(rows[:, HEAD + part * size : HEAD + (part + 1) * size].copy()).to(self._device)
            for part in range(3)
        )
        z.requires_grad_(turns.steps > 0)
        generated = self._generator(z, labels).float()
        weights = target.known / target.known.mean()
        errors = ((generated - target.pixels).square() * weights).flatten(1).mean(1)
        rows[:, 1] = errors.detach().cpu().numpy()
        if not turns.steps:
            return
        loss, weight = errors, turns.feature_weight * (1 - step / turns.total)
        if self._extractor is not None and target.features is not None and weight:
            distance = (self._extractor(generated * target.known) - target.features).square().mean(1)
            loss = loss + weight * distance / (target.features.square().mean() + EPSILON)
        if target.prior_weight:
            loss = loss + target.prior_weight * (z / self._recipe.latent.scale).square().mean(1)
        with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True):
            (gradient,) = torch.autograd.grad(loss.sum(), z)
        with torch.no_grad():
            first = BETAS[0] * first + (1 - BETAS[0]) * gradient
            second = BETAS[1] * second + (1 - BETAS[1]) * gradient.square()
            latent = self._recipe.latent
            rate = RATE * latent.scale * (1 + math.cos(math.pi * step / turns.total)) / 2
            means = (series / (1 - beta ** (step + 1)) for series, beta in zip((first, second), BETAS, strict=True))
            z = z - rate * next(means) / (next(means).sqrt() + EPSILON)
            if latent.kind == "uniform":
                z = z.clamp(-latent.scale, latent.scale)
        rows[:, HEAD:] = torch.cat([z, first, second], 1).cpu().numpy()
