"""Recompute BatchNorm's statistics for averaged weights, in bounded memory.

The running statistics belong to the weights of training; an average of weights has statistics of its own.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import takewhile

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from models.latent import cycling_labels, draw_latent
from models.rng import Rng
from models.spec.recipe import Recipe

BATCHES, BATCH = 32, 128
TOGETHER = 2**27
"""numbers that a layer is given at a time: 512 MiB, twice a whole batch of any family at its own width and 128 px"""
Statistics = dict[_BatchNorm, tuple[Tensor, Tensor]]
"""mean and variance of each channel, by layer"""


@torch.no_grad()
def recalibrate(
    generator: nn.Module,
    recipe: Recipe,
    batches: int = BATCHES,
    batch_size: int = BATCH,
    beat: Callable[[], None] = lambda: None,
) -> None:
    """Set BatchNorm's statistics to their mean over batches of fixed latents. Leaves the generator in eval mode.

    The layers of a batch that fit into TOGETHER are run at once. Each later one is measured by itself, part by part of
    the batch, behind layers that norm with the statistics of the whole batch: the same but for the rounding. Layers
    that latents do not reach, as those of an encoder, keep their statistics. `beat` is called after every run.
    """
    if not recipe.draws:
        return
    device = next(generator.parameters()).device
    rng, labels = Rng(recipe.seed), cycling_labels(recipe.classes, batch_size, device)

    def draw(number: int) -> Tensor:
        return draw_latent(recipe.latent, rng.stream("recalibrate", number), batch_size).to(device)

    def run(z: Tensor, rows: slice) -> None:
        generator(z[rows], None if labels is None else labels[rows])

    numbers = _numbers(generator.eval(), partial(run, draw(0), slice(1)))
    together = list(takewhile(lambda norm: numbers[norm] * batch_size <= TOGETHER, numbers))
    apart = list(numbers)[len(together) :]
    with _averaging(list(numbers)):
        for number in range(batches if numbers else 0):
            z, seen = draw(number), Statistics()
            if together:
                with _noted(together if apart else [], seen), _up_to(together[-1]):
                    run(z, slice(None))
                beat()
            for norm in apart:
                sums = _Sums()
                for rows in _parts(batch_size, numbers[norm]):
                    with _fixed(seen), sums.of(norm):
                        run(z, rows)
                    beat()
                seen[norm] = sums.add_to(norm)


def _numbers(network: nn.Module, run: Callable[[], None]) -> dict[_BatchNorm, int]:
    """How many numbers each BatchNorm layer is given when it is run, in the order in which they are reached."""
    found: dict[_BatchNorm, int] = {}

    def note(norm: nn.Module, args: tuple[Tensor]) -> None:
        assert isinstance(norm, _BatchNorm)
        assert norm not in found, "a layer that is run twice has no statistics of one batch"
        found[norm] = args[0].numel()

    norms = [module for module in network.modules() if isinstance(module, _BatchNorm)]
    with _hooked(norms, note):
        if norms:
            run()
    return found


def _parts(count: int, numbers: int) -> list[slice]:
    """Rows of a batch that fit into TOGETHER where each has so many numbers, and at least one at a time."""
    size = max(1, TOGETHER // numbers)
    return [slice(start, start + size) for start in range(0, count, size)]


@contextmanager
def _averaging(norms: Sequence[_BatchNorm]) -> Iterator[None]:
    """Meanwhile the layers keep the plain mean of what they see, from nothing on."""
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
        norm.train()
    try:
        yield
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
            norm.eval()


@contextmanager
def _fixed(seen: Statistics) -> Iterator[None]:
    """Meanwhile the layers norm with what was seen, and learn nothing."""
    own = {norm: (norm.running_mean, norm.running_var) for norm in seen}
    for norm, (mean, variance) in seen.items():
        norm.running_mean, norm.running_var = mean, variance
        norm.eval()
    try:
        yield
    finally:
        for norm, (kept_mean, kept_variance) in own.items():
            norm.running_mean, norm.running_var = kept_mean, kept_variance
            norm.train()


@contextmanager
def _noted(norms: Sequence[_BatchNorm], seen: Statistics) -> Iterator[None]:
    """Meanwhile what each layer is given is noted."""

    def note(norm: nn.Module, args: tuple[Tensor]) -> None:
        assert isinstance(norm, _BatchNorm)
        variance, mean = torch.var_mean(args[0], _but_channels(args[0]), correction=0)
        seen[norm] = mean, variance

    with _hooked(norms, note):
        yield


class _Enough(Exception):
    """The layer that was waited for has been reached: what comes behind it need not be computed."""


@contextmanager
def _up_to(norm: _BatchNorm) -> Iterator[None]:
    """Ends a run inside the block once the layer has made its output."""

    def end(*_: object) -> None:
        raise _Enough

    hook = norm.register_forward_hook(end)
    try:
        yield
    except _Enough:
        pass
    finally:
        hook.remove()


class _Sums:
    """What a layer is given in several runs, summed up in double precision (Chan et al. 1979)."""

    def __init__(self) -> None:
        self._count = 0
        self._mean = self._squares = torch.zeros((), dtype=torch.float64)

    @contextmanager
    def of(self, norm: _BatchNorm) -> Iterator[None]:
        """Adds what the layer is given by a run inside the block, and ends the run there."""
        try:
            with _hooked([norm], self._take):
                yield
        except _Enough:
            pass

    def _take(self, _: nn.Module, args: tuple[Tensor]) -> None:
        x = args[0]
        count = x.numel() // x.shape[1]
        variance, mean = (part.double().cpu() for part in torch.var_mean(x, _but_channels(x), correction=0))
        apart, before = mean - self._mean, self._count
        self._count += count
        self._mean = self._mean + apart * (count / self._count)
        self._squares = self._squares + count * (variance + apart.square() * (before / self._count))
        raise _Enough

    def add_to(self, norm: _BatchNorm) -> tuple[Tensor, Tensor]:
        """Count one batch more into the layer's mean over batches, as BatchNorm does. The batch's own statistics."""
        assert norm.running_mean is not None
        assert norm.running_var is not None
        assert norm.num_batches_tracked is not None
        norm.num_batches_tracked += 1
        weight, like = 1 / int(norm.num_batches_tracked), norm.running_mean
        norm.running_mean.lerp_(self._mean.to(like), weight)
        norm.running_var.lerp_((self._squares / (self._count - 1)).to(like), weight)
        return self._mean.to(like), (self._squares / self._count).to(like)


def _but_channels(x: Tensor) -> list[int]:
    return [dimension for dimension in range(x.dim()) if dimension != 1]


@contextmanager
def _hooked(norms: Sequence[_BatchNorm], note: Callable[[nn.Module, tuple[Tensor]], None]) -> Iterator[None]:
    hooks = [norm.register_forward_pre_hook(note) for norm in norms]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
