"""The same behind BentoML with adaptive batching, as its documentation teaches. It answers JSON: PNG in base64."""

from __future__ import annotations

import base64

import bentoml
import torch

from bench.peers.generator import latent, load, png


@bentoml.service(workers=1, logging={"access": {"enabled": False}})
class Sampler:
    def __init__(self) -> None:
        self.generator, self.size = load()

    @bentoml.api(batchable=True, max_batch_size=64, max_latency_ms=10_000)
    def sample(self, seeds: list[int]) -> list[str]:
        z = torch.stack([latent(seed, self.size) for seed in seeds])
        with torch.inference_mode():
            pictures = self.generator(z)
        return [base64.b64encode(png(picture)).decode() for picture in pictures]
