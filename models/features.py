"""Features of pictures: the code of an autoencoder, or the last hidden layer of a critic (Radford et al. 2016)."""

from pathlib import Path

import torch
from torch import Tensor, nn

from models import checkpoint
from models.build import build_critic, build_generator
from models.export import load_generator, read_header
from models.games.synthesis import pack
from models.nets.autoencoder import Autoencoder
from models.nets.critics import AutoencoderCritic, DualCritic
from models.nets.layers.common import set_training_progress
from models.nets.mlp import MlpCritic
from models.spec.recipe import Recipe
from models.spec.upgrade import read_recipe


class FeatureExtractor(nn.Module):
    """Pictures [n, channels, side, side] in [-1, 1] -> features [n, f]. Those of a picture depend on it alone."""

    def __init__(self, recipe: Recipe, network: nn.Module, step: int) -> None:
        """`network` is the generator if `recipe.feature_source` is `encoder`, else the critic, of a training's step."""
        super().__init__()
        self.recipe, self.step = recipe, step
        self.network = network.eval().requires_grad_(False)
        set_training_progress(network, step / recipe.budget.steps)

    def forward(self, x: Tensor) -> Tensor:
        network = self.network.first if isinstance(self.network, DualCritic) else self.network
        match network:
            case Autoencoder():
                # A Gaussian code is the mean, and after it the log variance.
                return network.encode(x)[:, : self.recipe.latent.size]
            case AutoencoderCritic():
                code: Tensor = network.encode(x)
                return code
            case MlpCritic() if self.recipe.classes:
                # It takes the class as an input, which is not known here.
                by_class = [self._hidden(network, x, number) for number in range(self.recipe.classes)]
                return torch.stack(by_class).mean(0)
            case _:
                return self._hidden(network, x, 0)

    def _hidden(self, critic: nn.Module, x: Tensor, number: int) -> Tensor:
        """Return the critic's last hidden layer. It sees each picture as a whole pack, with the class `number`."""
        packing = getattr(self.recipe.game, "packing", 1)
        label = torch.full((len(x),), number, device=x.device) if self.recipe.classes else None
        features: Tensor = critic(pack(x.repeat_interleave(packing, 0), packing), label).features
        return features


def load_critic(recipe: Recipe, checkpoint_file: Path, sha256: str | None = None) -> FeatureExtractor:
    """Load the critic of a checkpoint; with `sha256` verify the file. Raises DamagedCheckpoint."""
    state = checkpoint.load(checkpoint_file, sha256)
    critic = build_critic(recipe)
    critic.load_state_dict(state["critic"])
    return FeatureExtractor(recipe, critic, state["step"])


def load_encoder(export: Path) -> FeatureExtractor:
    """Load the encoder of an export. Raises NotAnExport."""
    recipe, step, generator = load_generator(export)
    return FeatureExtractor(recipe, generator, step)


def with_initial_weights(extractor: FeatureExtractor) -> FeatureExtractor:
    """Return the extractor as it was before its training, on the same device."""
    build = build_generator if extractor.recipe.feature_source == "encoder" else build_critic
    device = next(extractor.parameters()).device
    return FeatureExtractor(extractor.recipe, build(extractor.recipe), extractor.step).to(device)


def recipe_of_export(export: Path) -> Recipe:
    """Return the recipe of an export. Raises NotAnExport."""
    return read_recipe(read_header(export)["recipe"])
