"""Draw the numbers of torch's CPU generator without torch, so that a process without it shows the drawn datasets.

torch's generator is the Mersenne Twister, as numpy's RandomState is. A test compares every method with torch.
"""

import numpy as np
from numpy.typing import NDArray

BLOCK = 16
"""torch turns uniform numbers into normal ones in blocks of this size (Box-Muller)"""


class TorchRandom:
    """The numbers of `torch.Generator().manual_seed(seed)`, for seeds below 2**32."""

    def __init__(self, seed: int) -> None:
        self._words = np.random.RandomState(seed)

    def integers(self, high: int, shape: int | tuple[int, ...]) -> NDArray[np.int64]:
        """Draw as `torch.randint(high, shape)` does; `high` is below 2**28."""
        return self._draw(shape).astype(np.int64) % high

    def doubles(self, count: int) -> NDArray[np.float64]:
        """Draw as `torch.rand(count, dtype=torch.float64)` does: [count] in [0, 1)."""
        pairs = self._draw((count, 2)).astype(np.uint64)
        bits = ((pairs[:, 0] << np.uint64(32)) | pairs[:, 1]) & np.uint64((1 << 53) - 1)
        return np.asarray(bits * 2.0**-53)

    def normals(self, count: int) -> NDArray[np.float32]:
        """Draw as `torch.randn(count)` does, to float32 rounding: [count], a multiple of BLOCK."""
        uniform = (self._draw((count // BLOCK, 2, BLOCK // 2)) & ((1 << 24) - 1)) * 2.0**-24
        radius, angle = np.sqrt(-2 * np.log(1 - uniform[:, 0])), 2 * np.pi * uniform[:, 1]
        return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1).astype(np.float32).reshape(count)

    def _draw(self, shape: int | tuple[int, ...]) -> NDArray[np.uint32]:
        return self._words.randint(0, 1 << 32, shape, np.uint32)
