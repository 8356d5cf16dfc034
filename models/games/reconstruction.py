"""The reconstruction game: an autoencoder reproduces its input through a narrow code, without a critic."""

import torch
import torch.nn.functional as F
from torch import Tensor

from models import distributed
from models.duel import Duel, Losses
from models.games.game import Batch, Game, SampledBatch
from models.nets.autoencoder import Autoencoder
from models.rng import Rng, draw_on
from models.spec import games as spec


class Reconstruction(Game):
    """Autoencoders, and with a divergence above 0 variational ones (Kingma and Welling 2014; Higgins et al. 2017)."""

    def __init__(self, game: spec.Reconstruction, generator: Autoencoder) -> None:
        super().__init__()
        self.game = game
        self.players = {"generator": generator}

    def sample(self, batch: Batch, rng: Rng, number: int) -> SampledBatch:
        """Return the batch without fakes: the generator runs in its own turn, the only one."""
        batch = batch.rank_part()
        return SampledBatch(number, batch, {"": batch.real}, {})

    def critic_duels(self, sampled: SampledBatch, rng: Rng) -> list[Duel]:
        return []

    def generator_duels(self, sampled: SampledBatch, rng: Rng) -> tuple[list[Duel], Losses]:
        generator = self.players["generator"]
        assert isinstance(generator, Autoencoder)
        code, losses = generator.encode(sampled.batch.real).float(), Losses()
        if self.game.divergence:
            mean, log_variance = code.chunk(2, dim=1)
            losses["divergence"] = self.game.divergence * kl_divergence(mean, log_variance)
            shape = distributed.world_size() * len(mean), mean.shape[1]
            stream = rng.stream("posterior", sampled.number)
            noise = draw_on(stream, lambda g: distributed.rank_part(torch.randn(shape, generator=g)), mean.device)
            code = mean + noise.to(mean) * (log_variance / 2).exp()
        reconstructed = generator(code).float()
        # Logarithms of probabilities need fp32.
        with torch.autocast(reconstructed.device.type, enabled=False):
            losses["reconstruction"] = reconstruction_loss(self.game.loss, reconstructed, sampled.batch.real)
        return [], losses


def reconstruction_loss(kind: str, reconstructed: Tensor, real: Tensor) -> Tensor:
    """Return the loss summed over each example and averaged over the batch.

    cross_entropy reads pictures in [-1, 1] as probabilities (x + 1) / 2 of a white pixel. Raises ValueError for an
    unknown kind.
    """
    match kind:
        case "squared":
            total = F.mse_loss(reconstructed, real, reduction="sum")
        case "absolute":
            total = F.l1_loss(reconstructed, real, reduction="sum")
        case "cross_entropy":
            total = F.binary_cross_entropy((reconstructed + 1) / 2, (real + 1) / 2, reduction="sum")
        case _:
            raise ValueError(f"No reconstruction loss is called {kind}.")
    return total / len(real)


def kl_divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Return KL(N(mean, exp(log_variance)) || N(0, 1)), summed over the code and averaged over the batch."""
    return (mean.square() + log_variance.exp() - log_variance - 1).sum(1).mean() / 2
