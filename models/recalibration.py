"""Recompute BatchNorm's statistics for the exponential moving average (EMA) of the weights, in bounded memory.

The running statistics of training belong to the trained weights, not to their EMA.
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

CALIBRATION_BATCHES, CALIBRATION_BATCH_SIZE = 32, 128
"""number and size of the batches over which the statistics are averaged"""
MAX_LAYER_NUMBERS = 2**27
"""most input numbers of a layer in a run: 512 MiB, twice a batch of any family at its default width and 128 px"""
BatchStatistics = dict[_BatchNorm, tuple[Tensor, Tensor]]
"""mean and biased variance of each channel over one batch, by layer"""


@torch.no_grad()
def recalibrate_batchnorm(
    generator: nn.Module,
    recipe: Recipe,
    batches: int = CALIBRATION_BATCHES,
    batch_size: int = CALIBRATION_BATCH_SIZE,
    heartbeat: Callable[[], None] = lambda: None,
) -> None:
    """Set BatchNorm's statistics to their mean over batches of fixed latents. Leaves the generator in eval mode.

    The first layers, whose inputs for a batch have at most MAX_LAYER_NUMBERS numbers, are measured in one run. Each
    later layer is measured separately over slices of the batch, while earlier layers use the statistics of the whole
    batch; the result is the same up to rounding. Layers that latents do not reach, such as an encoder's, keep their
    statistics. `heartbeat` is called after every run.
    """
    if not recipe.generates:
        return
    device = next(generator.parameters()).device
    rng, labels = Rng(recipe.seed), cycling_labels(recipe.classes, batch_size, device)

    def draw(number: int) -> Tensor:
        return draw_latent(recipe.latent, rng.stream("recalibrate", number), batch_size).to(device)

    def run(z: Tensor, rows: slice) -> None:
        generator(z[rows], None if labels is None else labels[rows])

    sizes = _input_sizes(generator.eval(), partial(run, draw(0), slice(1)))
    whole_batch = list(takewhile(lambda norm: sizes[norm] * batch_size <= MAX_LAYER_NUMBERS, sizes))
    sliced = list(sizes)[len(whole_batch) :]
    with _averaging_statistics(list(sizes)):
        for number in range(batches if sizes else 0):
            z, statistics = draw(number), BatchStatistics()
            if whole_batch:
                with _recording(whole_batch if sliced else [], statistics), _stopping_after(whole_batch[-1]):
                    run(z, slice(None))
                heartbeat()
            for norm in sliced:
                moments = _Moments()
                for rows in _row_slices(batch_size, sizes[norm]):
                    with _normalising_with(statistics), moments.of_inputs(norm):
                        run(z, rows)
                    heartbeat()
                statistics[norm] = moments.add_to(norm)


def _input_sizes(network: nn.Module, run: Callable[[], None]) -> dict[_BatchNorm, int]:
    """Return the number of input values of each BatchNorm layer for one example, in the order of execution."""
    sizes: dict[_BatchNorm, int] = {}

    def note(norm: nn.Module, args: tuple[Tensor]) -> None:
        assert isinstance(norm, _BatchNorm)
        assert norm not in sizes, "a layer that runs twice has no statistics of one batch"
        sizes[norm] = args[0].numel()

    norms = [module for module in network.modules() if isinstance(module, _BatchNorm)]
    with _pre_hooks(norms, note):
        if norms:
            run()
    return sizes


def _row_slices(count: int, numbers: int) -> list[slice]:
    """Return slices of at most MAX_LAYER_NUMBERS numbers, and of at least one row, that cover `count` rows."""
    size = max(1, MAX_LAYER_NUMBERS // numbers)
    return [slice(start, start + size) for start in range(0, count, size)]


@contextmanager
def _averaging_statistics(norms: Sequence[_BatchNorm]) -> Iterator[None]:
    """Reset the layers' statistics and let them average over all batches inside the block."""
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
def _normalising_with(statistics: BatchStatistics) -> Iterator[None]:
    """Let the layers normalise with these statistics inside the block, and leave their own unchanged."""
    running = {norm: (norm.running_mean, norm.running_var) for norm in statistics}
    for norm, (mean, variance) in statistics.items():
        norm.running_mean, norm.running_var = mean, variance
        norm.eval()
    try:
        yield
    finally:
        for norm, (running_mean, running_variance) in running.items():
            norm.running_mean, norm.running_var = running_mean, running_variance
            norm.train()


@contextmanager
def _recording(norms: Sequence[_BatchNorm], statistics: BatchStatistics) -> Iterator[None]:
    """Record the statistics of each layer's input inside the block."""

    def note(norm: nn.Module, args: tuple[Tensor]) -> None:
        assert isinstance(norm, _BatchNorm)
        variance, mean = torch.var_mean(args[0], _dims_but_channels(args[0]), correction=0)
        statistics[norm] = mean, variance

    with _pre_hooks(norms, note):
        yield


class _StopForward(Exception):
    """Raised inside a forward pass when the last layer of interest has run, to skip the later ones."""


@contextmanager
def _stopping_after(norm: _BatchNorm) -> Iterator[None]:
    """End a forward pass inside the block when the layer has computed its output."""

    def end(*_: object) -> None:
        raise _StopForward

    hook = norm.register_forward_hook(end)
    try:
        yield
    except _StopForward:
        pass
    finally:
        hook.remove()


class _Moments:
    """Mean and variance of a layer's input over several runs, in double precision (Chan et al. 1979)."""

    def __init__(self) -> None:
        self._count = 0
        self._mean = self._squares = torch.zeros((), dtype=torch.float64)

    @contextmanager
    def of_inputs(self, norm: _BatchNorm) -> Iterator[None]:
        """Add the layer's input in a forward pass inside the block, and end the pass there."""
        try:
            with _pre_hooks([norm], self._add):
                yield
        except _StopForward:
            pass

    def _add(self, _: nn.Module, args: tuple[Tensor]) -> None:
        x = args[0]
        count = x.numel() // x.shape[1]
        variance, mean = (part.double().cpu() for part in torch.var_mean(x, _dims_but_channels(x), correction=0))
        difference, before = mean - self._mean, self._count
        self._count += count
        self._mean = self._mean + difference * (count / self._count)
        self._squares = self._squares + count * (variance + difference.square() * (before / self._count))
        raise _StopForward

    def add_to(self, norm: _BatchNorm) -> tuple[Tensor, Tensor]:
        """Add the batch to the layer's mean over batches, as BatchNorm does. Return the batch's mean and variance."""
        assert norm.running_mean is not None
        assert norm.running_var is not None
        assert norm.num_batches_tracked is not None
        norm.num_batches_tracked += 1
        weight, like = 1 / int(norm.num_batches_tracked), norm.running_mean
        norm.running_mean.lerp_(self._mean.to(like), weight)
        norm.running_var.lerp_((self._squares / (self._count - 1)).to(like), weight)
        return self._mean.to(like), (self._squares / self._count).to(like)


def _dims_but_channels(x: Tensor) -> list[int]:
    return [dimension for dimension in range(x.dim()) if dimension != 1]


@contextmanager
def _pre_hooks(norms: Sequence[_BatchNorm], note: Callable[[nn.Module, tuple[Tensor]], None]) -> Iterator[None]:
    hooks = [norm.register_forward_pre_hook(note) for norm in norms]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
