"""The most pictures per second that one core can draw with the unchanged weights: batches of 32, and PNG encoding.

Each line of the input is a number of seconds to measure; for each it prints pictures per second.
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
        drawn, began = 0, time.perf_counter()
        while time.perf_counter() < began + float(line):
            drawn += batch()
        print(drawn / (time.perf_counter() - began), flush=True)


if __name__ == "__main__":
    main()
