"""Find directions of a latent space without labels, from the first layer that reads the latent."""

from typing import cast

import torch
from torch import Tensor, nn

from models.latent import draw_seeded_latents
from models.rng import stream_seed
from models.spec.training import Latent
from serving.protocol import Method

PRINCIPAL_LATENTS = 512
"""latents whose activations are analysed"""


class _Seen(Exception):
    """The first layer has its output; the others need not run."""


def find_directions(
    generator: nn.Module, latent: Latent, classes: int, method: Method, seed: int
) -> tuple[Tensor, Tensor]:
    """Return unit vectors [n, size], n at most `size`, and their strengths [n], the strongest first.

    closed_form: the vectors that change the first layer's output most (SeFa, arXiv 2007.06600), with the size of that
    change. principal: the vectors that explain its principal components over latents of the seed (GANSpace, arXiv
    2004.02546), with the deviation along each. The largest number of a vector is positive.
    """
    if method == "closed_form":
        origin = torch.zeros(1, latent.size)
        output = first_layer(generator, torch.cat([origin, torch.eye(latent.size)]), classes)
        vectors, strengths = _axes(output[1:] - output[:1])
    else:
        z = draw_seeded_latents(latent, [stream_seed(seed, "picture", number) for number in range(PRINCIPAL_LATENTS)])
        output = first_layer(generator, z, classes)
        coordinates, strengths = _axes(output - output.mean(0))
        rank = min(latent.size, PRINCIPAL_LATENTS)
        strengths = strengths[:rank] / (PRINCIPAL_LATENTS - 1) ** 0.5
        vectors = z.double().T @ coordinates[:, :rank]
    vectors = vectors / vectors.norm(dim=0).clamp(min=torch.finfo(vectors.dtype).tiny)
    largest = vectors.gather(0, vectors.abs().argmax(0, keepdim=True))
    return (vectors * largest.sign()).T.float(), strengths.float()


def _axes(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Return the left singular vectors [n, n] of a matrix [n, f] and its singular values [n], the largest first.

    They come from the product with its transpose, which is small.
    """
    squares, vectors = torch.linalg.eigh(rows @ rows.T)
    return vectors.flip(1), squares.flip(0).clamp(min=0).sqrt()


def first_layer(generator: nn.Module, z: Tensor, classes: int) -> Tensor:
    """Return the output float64 [n, f] of the first layer with weights that runs, embeddings of classes aside."""
    seen: list[Tensor] = []

    def keep(_: nn.Module, __: object, output: object) -> None:
        seen.append(cast(Tensor, output))
        raise _Seen

    layers = [module for module in generator.modules() if isinstance(module, nn.Linear | nn.modules.conv._ConvNd)]
    hooks = [layer.register_forward_hook(keep) for layer in layers]
    device = next(generator.parameters()).device
    label = torch.zeros(len(z), dtype=torch.int64, device=device) if classes else None
    try:
        generator(z.to(device), label)
    except _Seen:
        pass
    finally:
        for hook in hooks:
            hook.remove()
    return seen[0].flatten(1).double().cpu()
