"""A published model in memory, which samples and translates in batches of fixed sizes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import torch
from torch import Tensor, nn

from data.levels import full_level, levels, to_bits
from models.build import count_parameters
from models.export import Export
from models.games import degrade
from models.latent import cycling_labels, draw_seeded_latents
from models.rng import stream_seed
from models.spec.games import Paired
from serving.directions import find_directions
from serving.fuse_batchnorm import fuse_batch_norms
from serving.matmul_deconv import use_matrix_products
from serving.protocol import Array, Direction, Method
from serving.tiling import Translator, computed_pixels, tile_side, translate_in_tiles, translate_whole

BATCH_SIZES = (32, 16, 8, 4, 2, 1)
"""possible batch sizes of sampling"""


PICTURES_PER_TURN = BATCH_SIZES[0]
"""most pictures that the engine generates in a turn, before it reads the queue again"""


SINGLE_THREAD_WEIGHTS = 2_000_000
"""number of weights below which a generator is faster on one thread than on several"""


MAX_BATCHED_PIXELS = 8 * 64 * 64
"""most pixels of a batch of translations: on a CPU batches of larger pictures are no faster"""


@dataclass(frozen=True, slots=True)
class Item:
    """One picture to sample: its class, its number, and the seed, temperature and truncation of its request."""

    label: int | None
    index: int
    seed: int
    temperature: float
    truncation: float | None = None


@dataclass(frozen=True, slots=True)
class Code:
    """One picture to decode: its latent float32 [size], and its weights of the classes float32 [classes], if any."""

    latent: Array
    weights: Array | None


@dataclass(frozen=True, slots=True)
class Axes:
    """The n strongest directions of a method, from latents of a seed if it needs any."""

    method: Method
    n: int
    seed: int


class LoadedModel:
    """An export's networks on the device, with the batch sizes at which they run."""

    def __init__(self, export: Export, device: torch.device, threads: int) -> None:
        self.recipe = export.recipe
        self.device = device
        self.networks = {name: network.to(device) for name, network in export.networks.items()}
        for network in self.networks.values():
            fuse_batch_norms(network)
        weights = sum(count_parameters(network) for network in self.networks.values())
        self.bytes = sum(bytes_of(network) for network in self.networks.values())
        self.threads = 1 if self.recipe.decodes and weights < SINGLE_THREAD_WEIGHTS else threads
        self._tile = tile_side(export.recipe) if export.recipe.translates else 0
        self._batch_is_exact: dict[tuple[Direction, tuple[int, ...], int], bool] = {}
        """by direction, shape and number of pictures, whether a batch gives the same bits as single pictures"""
        if self.recipe.decodes:
            # Both changes are faster, and with them most convolutions compute the same bits in batches of every size.
            use_matrix_products(self.networks["generator"])
            self.networks["generator"].to(memory_format=torch.channels_last)  # type: ignore[call-overload]
            torch.set_num_threads(self.threads)
            self.sizes = self._bit_equal_sizes()

    def sample(self, items: Sequence[Item]) -> Array:
        """Sample levels [n, side, side, channels], points float32 [n, dimension] or symbols int64 [n, length].

        Levels are uint8, or uint16 for a model of 16 bits.
        """
        torch.set_num_threads(self.threads)
        labels = torch.tensor([item.label for item in items]) if self.recipe.class_conditional else None
        return self._to_array(self._generate_in_batches(self._draw(items), labels, self.sizes))

    def latents(self, items: Sequence[Item]) -> Array:
        """Draw the latents float32 [n, size] from which `sample` generates."""
        return self._draw(items).numpy()

    def decode(self, codes: Sequence[Code]) -> Array:
        """Generate from latents, as `sample` does from those that it draws: equal latents give equal bits.

        A weight of 1 for one class is that class; other weights mix the classes' vectors (models.nets).
        """
        torch.set_num_threads(self.threads)
        z = torch.from_numpy(np.stack([code.latent for code in codes]))
        weights = [code.weights for code in codes if code.weights is not None]
        labels = torch.from_numpy(np.stack(weights)) if self.recipe.class_conditional else None
        return self._to_array(self._generate_in_batches(z, labels, self.sizes))

    def directions(self, wanted: Sequence[Axes]) -> Array:
        """Find directions of each kind that is wanted [wanted, n, 1 + size]: strengths and unit vectors."""
        torch.set_num_threads(self.threads)
        rows = []
        for axes in wanted:
            latent, generator = self.recipe.latent, self.networks["generator"]
            vectors, strengths = find_directions(generator, latent, self.recipe.classes, axes.method, axes.seed)
            rows.append(torch.cat([strengths[:, None], vectors], 1)[: axes.n].numpy())
        return np.stack(rows)

    def _draw(self, items: Sequence[Item]) -> Tensor:
        seeds = [stream_seed(item.seed, "picture", item.index) for item in items]
        z = draw_seeded_latents(self.recipe.latent, seeds, [item.truncation for item in items])
        return z * torch.tensor([[item.temperature] for item in items])

    def translate(self, image: Array, direction: Direction) -> Iterator[Array | None]:
        """Translate as serving.tiling.translate_in_tiles does. A picture without a hole gets that of the training."""
        torch.set_num_threads(self.threads)
        translator, image = self._translator(direction), self._with_hole(to_bits(image, self.recipe.bits))
        for result in translate_in_tiles(translator, image, self.device, tile=self._tile):
            yield result
            # Meanwhile another model may have set the number of threads.
            torch.set_num_threads(self.threads)

    def computed_pixels(self, height: int, width: int) -> int:
        """Return how many output pixels a translation of a picture computes, those of overlapping tiles repeatedly."""
        return computed_pixels(self._translator("a2b"), height, width, tile=self._tile)

    def translate_together(self, images: Sequence[Array], direction: Direction) -> list[Array]:
        """Translate small pictures of one shape, each with the same bits as by `translate`.

        For a new shape and number of pictures the results of the batch are compared with single ones. Batches of them
        are used from then on only if both were equal.
        """
        torch.set_num_threads(self.threads)
        translator = self._translator(direction)
        inputs = [self._with_hole(to_bits(image, self.recipe.bits)) for image in images]
        key = direction, inputs[0].shape, len(inputs)
        if self._batch_is_exact.get(key):
            return list(levels(translate_whole(translator, inputs, self.device), self.recipe.bits))
        single = np.concatenate([translate_whole(translator, [image], self.device) for image in inputs])
        if key not in self._batch_is_exact:
            self._batch_is_exact[key] = np.array_equal(single, translate_whole(translator, inputs, self.device))
        return list(levels(single, self.recipe.bits))

    def _translator(self, direction: Direction) -> Translator:
        network = self.networks[direction if self.recipe.game.kind == "unpaired" else "generator"]
        return Translator(
            network,
            self.recipe.side_multiple,
            self.recipe.upscaling,
            self.recipe.fills_holes,
            self.recipe.receptive_radius,
            self.recipe.shape[0],
        )

    def _with_hole(self, image: Array) -> Array:
        game = self.recipe.game
        if isinstance(game, Paired) and self.recipe.fills_holes and image.shape[2] == self.recipe.source_channels:
            return _append_training_hole(image, game)
        return image

    def _generate_in_batches(self, z: Tensor, labels: Tensor | None, sizes: Sequence[int]) -> Tensor:
        """Run batches of these sizes, the largest that fits first; the last rows are padded to the smallest size."""
        outputs, start = [], 0
        while remaining := len(z) - start:
            size = next((size for size in sizes if size <= remaining), sizes[-1])
            label = None if labels is None else _padded_rows(labels, start, size)
            outputs.append(self._generate(_padded_rows(z, start, size), label)[:remaining])
            start = min(start + size, len(z))
        return torch.cat(outputs)

    def _generate(self, z: Tensor, labels: Tensor | None) -> Tensor:
        label = None if labels is None else labels.to(self.device)
        output: Tensor = self.networks["generator"](z.to(self.device), label)
        return output.float().cpu()

    def _bit_equal_sizes(self) -> tuple[int, ...]:
        """Return the largest group of batch sizes with bit-equal outputs on fixed latents, in descending order.

        A matrix product of one row is often rounded differently from one of several: then size 1 is not in the group.
        """
        z = draw_seeded_latents(self.recipe.latent, range(PICTURES_PER_TURN))
        labels = cycling_labels(self.recipe.classes, PICTURES_PER_TURN)
        groups: list[tuple[Tensor, list[int]]] = []
        for size in BATCH_SIZES:
            output = self._generate_in_batches(z, labels, (size,))
            equal = next((sizes for other, sizes in groups if torch.equal(other, output)), None)
            if equal is None:
                groups.append((output, [size]))
            else:
                equal.append(size)
        _, largest = max(groups, key=lambda group: len(group[1]))
        return tuple(largest)

    def _to_array(self, output: Tensor) -> Array:
        if self.recipe.data.kind == "points":
            return output.numpy()
        if self.recipe.data.kind == "sequences":
            return output.argmax(dim=2).numpy()
        return levels(output.permute(0, 2, 3, 1).contiguous().numpy(), self.recipe.bits)


def _padded_rows(rows: Tensor, start: int, size: int) -> Tensor:
    """Return rows [size, ...] from `start` on, with the last row repeated if there are too few."""
    part = rows[start : start + size]
    return part if len(part) == size else part[torch.arange(size).clamp(max=len(part) - 1)]


def bytes_of(network: nn.Module) -> int:
    """Return the bytes of the network's weights and buffers."""
    return sum(tensor.numel() * tensor.element_size() for tensor in chain(network.parameters(), network.buffers()))


def _append_training_hole(image: Array, game: Paired) -> Array:
    """Append the hole of the model's training as a channel, the full level inside: [h, w, c] -> [h, w, c + 1].

    Raises ValueError if the training's holes were random.
    """
    if game.mask == "random":
        raise ValueError("This model was trained with random holes: mark the hole by transparent pixels.")
    hole = degrade.hole_mask(game.mask, 1, image.shape[0], image.shape[1], torch.Generator())[0]
    channel = hole.permute(1, 2, 0).numpy() * full_level(image)
    return np.concatenate([image, channel.astype(image.dtype)], axis=2)
