"""The reconstruction game: nobody judges; what goes in shall come out, through a narrow code."""

import torch
import torch.nn.functional as F
from torch import Tensor

from models import distributed
from models.duel import Duel, Losses
from models.games.game import Batch, Draw, Game
from models.nets.autoencoder import Autoencoder
from models.rng import Rng, drawn
from models.spec import games as spec


class Reconstruction(Game):
    """Autoencoders, and with a divergence above 0 variational ones (Kingma and Welling 2014; Higgins et al. 2017)."""

    def __init__(self, game: spec.Reconstruction, generator: Autoencoder) -> None:
        super().__init__()
        self.game = game
        self.players = {"generator": generator}

    def draw(self, batch: Batch, rng: Rng, number: int) -> Draw:
        """Nothing is drawn before the one turn there is."""
        batch = batch.part()
        return Draw(number, batch, {"": batch.real}, {})

    def critic_duels(self, draw: Draw, rng: Rng) -> list[Duel]:
        return []

    def generator_duels(self, draw: Draw, rng: Rng) -> tuple[list[Duel], Losses]:
        generator = self.players["generator"]
        assert isinstance(generator, Autoencoder)
        code, losses = generator.encode(draw.batch.real).float(), Losses()
        if self.game.divergence:
            mean, log_variance = code.chunk(2, dim=1)
            losses["divergence"] = self.game.divergence * divergence(mean, log_variance)
            shape = distributed.count() * len(mean), mean.shape[1]
            stream = rng.stream("posterior", draw.number)
            noise = drawn(stream, lambda own: distributed.part(torch.randn(shape, generator=own)), mean.device)
            code = mean + noise.to(mean) * (log_variance / 2).exp()
        made = generator(code).float()
        with torch.autocast(made.device.type, enabled=False):  # logarithms of probabilities want fp32
            losses["reconstruction"] = difference(self.game.loss, made, draw.batch.real)
        return [], losses


def difference(kind: str, made: Tensor, real: Tensor) -> Tensor:
    """Summed over each example and averaged over the batch.

    cross_entropy takes pictures in [-1, 1] as probabilities (x + 1) / 2 of a white pixel.
    """
    match kind:
        case "squared":
            total = F.mse_loss(made, real, reduction="sum")
        case "absolute":
            total = F.l1_loss(made, real, reduction="sum")
        case "cross_entropy":
            total = F.binary_cross_entropy((made + 1) / 2, (real + 1) / 2, reduction="sum")
        case _:
            raise ValueError(f"No reconstruction loss is called {kind}.")
    return total / len(real)


def divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(N(mean, exp(log_variance)) || N(0, 1)), summed over the code and averaged over the batch."""
    return (mean.square() + log_variance.exp() - log_variance - 1).sum(1).mean() / 2
