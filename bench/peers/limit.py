"""What one core can do at most with weights as they are: batches of 32, and PNG.

Measures for so many seconds as each line of its input says, and prints pictures a second.
"""

import os
import sys
import time
from itertools import count

os.environ["PEER_EXPORT"] = sys.argv[1]

import torch

from bench.peers.generator import latent, load, png

BATCH = 32


@torch.inference_mode()
def main() -> None:
    torch.set_num_threads(1)
    generator, size = load()
    seeds = count()

    def batch() -> int:
        z = torch.stack([latent(next(seeds), size) for _ in range(BATCH)])
        for picture in generator(z):
            png(picture)
        return BATCH

    for line in sys.stdin:
        batch()  # warms up
        made, began = 0, time.perf_counter()
        while time.perf_counter() < began + float(line):
            made += batch()
        print(made / (time.perf_counter() - began), flush=True)


if __name__ == "__main__":
    main()
