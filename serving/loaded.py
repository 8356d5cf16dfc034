"""A published network in memory: it draws and translates, alone or in batches of fixed sizes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import torch
from torch import Tensor, nn

from data.images import levels
from models.build import count_parameters
from models.export import Export
from models.games import degrade
from models.latent import cycling_labels, draw_seeded_latents
from models.rng import stream_seed
from models.spec.games import Paired
from serving.fuse_batchnorm import fold
from serving.matmul_deconv import as_products
from serving.protocol import Array, Direction
from serving.tiling import Translator, at_once, restyle, tile_of

SIZES = (32, 16, 8, 4, 2, 1)


TURN = SIZES[0]
"""pictures the engine makes before it looks at the queue again"""


SMALL = 2_000_000
"""weights below which a generator is quicker on one thread than on several"""


TOGETHER_PIXELS = 8 * 64 * 64
"""of the translations of one batch: on a CPU larger pictures are no quicker in company"""


@dataclass(frozen=True, slots=True)
class Item:
    """A pick with what its request says of all of them."""

    label: int | None
    index: int
    seed: int
    temperature: float


class Loaded:
    """An export on the device, with the batch sizes it is run at."""

    def __init__(self, export: Export, device: torch.device, threads: int) -> None:
        self.recipe = export.recipe
        self.device = device
        self.networks = {name: network.to(device) for name, network in export.networks.items()}
        for network in self.networks.values():
            fold(network)
        weights = sum(count_parameters(network) for network in self.networks.values())
        self.bytes = sum(_held(network) for network in self.networks.values())
        self.threads = 1 if self.recipe.generates and weights < SMALL else threads
        self._tile = tile_of(export.recipe) if export.recipe.translates else 0
        self._alike: dict[tuple[Direction, tuple[int, ...], int], bool] = {}
        """whether so many pictures of a shape come out of one batch as they do alone, bit for bit"""
        if self.recipe.generates:
            # Both are quicker, and most convolutions then compute a picture alike in every batch.
            as_products(self.networks["generator"])
            self.networks["generator"].to(memory_format=torch.channels_last)  # type: ignore[call-overload]
            torch.set_num_threads(self.threads)
            self.sizes = self._bit_equal_sizes()

    def sample(self, items: Sequence[Item]) -> Array:
        """uint8 [n, side, side, channels]; of points float32 [n, dimension]; of strings int64 [n, length], symbols."""
        torch.set_num_threads(self.threads)
        seeds = [stream_seed(item.seed, "picture", item.index) for item in items]
        z = draw_seeded_latents(self.recipe.latent, seeds) * torch.tensor([[item.temperature] for item in items])
        labels = torch.tensor([item.label for item in items]) if self.recipe.class_conditional else None
        return self._to_array(self._cut(z, labels, self.sizes))

    def translate(self, image: Array, direction: Direction) -> Iterator[Array | None]:
        """As serving.tiling.restyle; a hole that `image` does not bring is where the training had it."""
        torch.set_num_threads(self.threads)
        for piece in restyle(self._translator(direction), self._given(image), self.device, tile=self._tile):
            yield piece
            torch.set_num_threads(self.threads)  # another model may have had its turn since

    def translate_together(self, images: Sequence[Array], direction: Direction) -> list[Array]:
        """Pictures of one shape that fit into one piece, each as `translate` gives it.

        So many of a shape are one batch only after that was seen to change no bit: the first ones are made both ways.
        """
        torch.set_num_threads(self.threads)
        translator, given = self._translator(direction), [self._given(image) for image in images]
        key = direction, given[0].shape, len(given)
        if self._alike.get(key):
            return list(levels(at_once(translator, given, self.device)))
        alone = np.concatenate([at_once(translator, [image], self.device) for image in given])
        if key not in self._alike:
            self._alike[key] = np.array_equal(alone, at_once(translator, given, self.device))
        return list(levels(alone))

    def _translator(self, direction: Direction) -> Translator:
        network = self.networks[direction if self.recipe.game.kind == "unpaired" else "generator"]
        return Translator(
            network,
            self.recipe.side_multiple,
            self.recipe.upscaling,
            self.recipe.fills_holes,
            self.recipe.receptive_radius,
        )

    def _given(self, image: Array) -> Array:
        game = self.recipe.game
        if isinstance(game, Paired) and self.recipe.fills_holes and image.shape[2] == self.recipe.shape[0]:
            return _with_hole(image, game)
        return image

    def _cut(self, z: Tensor, labels: Tensor | None, sizes: Sequence[int]) -> Tensor:
        """Run in pieces of the given sizes, the largest first; what is left is filled up to the smallest."""
        outputs, start = [], 0
        while left := len(z) - start:
            size = next((size for size in sizes if size <= left), sizes[-1])
            label = None if labels is None else _piece(labels, start, size)
            outputs.append(self._generate(_piece(z, start, size), label)[:left])
            start = min(start + size, len(z))
        return torch.cat(outputs)

    def _generate(self, z: Tensor, labels: Tensor | None) -> Tensor:
        label = None if labels is None else labels.to(self.device)
        output: Tensor = self.networks["generator"](z.to(self.device), label)
        return output.float().cpu()

    def _bit_equal_sizes(self) -> tuple[int, ...]:
        """The most sizes whose outputs on fixed latents equal each other bit for bit, the largest first.

        Matrix products of one row often take another way than those of several: then 1 is not among them.
        """
        z = draw_seeded_latents(self.recipe.latent, range(TURN))
        labels = cycling_labels(self.recipe.classes, TURN)
        groups: list[tuple[Tensor, list[int]]] = []
        for size in SIZES:
            output = self._cut(z, labels, (size,))
            alike = next((sizes for seen, sizes in groups if torch.equal(seen, output)), None)
            if alike is None:
                groups.append((output, [size]))
            else:
                alike.append(size)
        _, most = max(groups, key=lambda group: len(group[1]))
        return tuple(most)

    def _to_array(self, output: Tensor) -> Array:
        if self.recipe.data.kind == "points":
            return output.numpy()
        if self.recipe.data.kind == "sequences":
            return output.argmax(dim=2).numpy()
        return levels(output.permute(0, 2, 3, 1).contiguous().numpy())


def _piece(rows: Tensor, start: int, size: int) -> Tensor:
    """[size, ...] from `start` on; the last row is repeated where there are too few."""
    piece = rows[start : start + size]
    return piece if len(piece) == size else piece[torch.arange(size).clamp(max=len(piece) - 1)]


def _held(network: nn.Module) -> int:
    """Bytes of its weights and buffers."""
    return sum(tensor.numel() * tensor.element_size() for tensor in chain(network.parameters(), network.buffers()))


def _with_hole(image: Array, game: Paired) -> Array:
    """[h, w, c] -> [h, w, c + 1]: the hole of the training, 255 inside."""
    if game.mask == "random":
        raise ValueError("A model trained on holes anywhere must be told where this one is.")
    hole = degrade.hole_mask(game.mask, 1, image.shape[0], image.shape[1], torch.Generator())[0]
    return np.concatenate([image, (255 * hole).to(torch.uint8).permute(1, 2, 0).numpy()], axis=2)
