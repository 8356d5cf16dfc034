"""Everything random is a function of (seed, name, step): named streams instead of one ordered stream."""

from hashlib import blake2b

import torch


def stream_seed(seed: int, name: str, step: int = 0) -> int:
    """A seed in 0 .. 2^63-1 for one named stream at one step."""
    digest = blake2b(f"{seed}/{name}/{step}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


class Rng:
    """Named streams of one seed. Numbers are drawn on the CPU, so that they are the same on every device."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def stream(self, name: str, step: int = 0) -> torch.Generator:
        """A fresh generator for (name, step); asking twice gives the same numbers twice."""
        return torch.Generator().manual_seed(stream_seed(self.seed, name, step))

    def reseed_layers(self, turn: str, step: int) -> None:
        """Set torch's global generator, for layers such as dropout that take none."""
        seed = stream_seed(self.seed, f"layers/{turn}", step)
        # Not torch.manual_seed: with no GPU in use it keeps the seed for later, with the lines of its callers (.7 ms).
        torch.default_generator.manual_seed(seed)
        if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
            torch.cuda.manual_seed_all(seed)
