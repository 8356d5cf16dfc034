"""What one core can do at most with weights as they are: batches of 32, and PNG. Prints pictures a second."""

import os
import sys
import time
from itertools import count

os.environ["PEER_EXPORT"] = sys.argv[1]

import torch

from bench.peers.generator import latent, load, png

SECONDS, BATCH = 3.0, 32


def main() -> None:
    torch.set_num_threads(1)
    generator, size = load()
    seeds, made, began = count(), 0, 0.0
    with torch.inference_mode():
        while not began or time.perf_counter() < began + SECONDS:
            if made == 2 * BATCH and not began:  # warm
                made, began = 0, time.perf_counter()
            z = torch.stack([latent(next(seeds), size) for _ in range(BATCH)])
            for picture in generator(z):
                png(picture)
            made += BATCH
    print(made / (time.perf_counter() - began))


if __name__ == "__main__":
    main()
