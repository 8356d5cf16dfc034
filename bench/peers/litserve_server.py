"""The same behind LitServe with dynamic batching, as its documentation teaches."""

import os

import litserve as ls
import torch
from fastapi import Response
from torch import Tensor

from bench.peers.generator import latent, load, png

WINDOW_S = 0.005
"""how long a batch waits for company: of 0.01 (the documentation's), 0.005 and 0.001 the one that served most"""


class Sampler(ls.LitAPI):
    def setup(self, device: str) -> None:
        self.generator, self.size = load()

    def decode_request(self, request: dict[str, int]) -> Tensor:
        return latent(request["seed"], self.size)

    def batch(self, inputs: list[Tensor]) -> Tensor:
        return torch.stack(inputs)

    def predict(self, z: Tensor) -> Tensor:
        with torch.inference_mode():
            pictures: Tensor = self.generator(z)
        return pictures

    def unbatch(self, output: Tensor) -> list[Tensor]:
        return list(output)

    def encode_response(self, output: Tensor) -> Response:
        return Response(png(output), media_type="image/png")


if __name__ == "__main__":
    server = ls.LitServer(Sampler(max_batch_size=64, batch_timeout=WINDOW_S), accelerator="cpu")
    server.run(port=int(os.environ["PEER_PORT"]), log_level="warning", generate_client_file=False)
