"""What every peer serves: the generator of an export, and how a picture of it becomes a file."""

import io
import os
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from models.export import load_export
from models.nets.layers.common import FromPixel


def load() -> tuple[nn.Module, int]:
    """The generator that PEER_EXPORT names, and the size of its latent."""
    export = load_export(Path(os.environ["PEER_EXPORT"]))
    return as_taught(export.networks["generator"]).eval(), export.recipe.latent.size


def as_taught(network: nn.Module) -> nn.Module:
    """With the modules that PyTorch's tutorials use; in place."""
    for module in network.modules():
        if isinstance(module, FromPixel):
            module.__class__ = nn.ConvTranspose2d  # type: ignore[assignment]
    return network


def latent(seed: int, size: int) -> Tensor:
    return torch.randn(size, generator=torch.Generator().manual_seed(seed))


def png(picture: Tensor) -> bytes:
    """[1, h, w] in [-1, 1]."""
    levels = ((picture[0].float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).numpy()
    out = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(levels)).save(out, "PNG")
    return out.getvalue()
