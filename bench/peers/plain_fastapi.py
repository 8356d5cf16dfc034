"""A generator behind FastAPI as its tutorial teaches: a `def` endpoint, which runs in a pool of threads."""

import os

import torch
import uvicorn
from fastapi import FastAPI, Response

from bench.peers.generator import latent, load, png

app = FastAPI()
generator, size = load()


@app.get("/sample")
def sample(seed: int) -> Response:
    with torch.inference_mode():
        picture = generator(latent(seed, size)[None])[0]
    return Response(png(picture), media_type="image/png")


if __name__ == "__main__":
    uvicorn.run(app, port=int(os.environ["PEER_PORT"]), log_level="warning")
