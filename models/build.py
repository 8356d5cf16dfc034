"""Build the networks, the game, the objective and the penalties of a recipe, with initial weights."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import assert_never

import torch
from torch import nn

from models.duel import PlayerName
from models.games.game import Game
from models.games.paired import Paired
from models.games.reconstruction import Reconstruction
from models.games.synthesis import Synthesis
from models.games.unpaired import Unpaired
from models.nets.autoencoder import Autoencoder, DcganAutoencoder, MlpAutoencoder
from models.nets.critics import AutoencoderCritic, DualCritic
from models.nets.cyclegan import PatchCritic, ResnetGenerator
from models.nets.dcgan import DcganCritic, DcganGenerator
from models.nets.mlp import MlpCritic, MlpGenerator
from models.nets.progressive import ProgressiveCritic, ProgressiveGenerator
from models.nets.residual import ResidualCritic, ResidualGenerator
from models.nets.rotation import RotationNet
from models.nets.sequence import SequenceCritic, SequenceGenerator
from models.nets.srresnet import SrresnetGenerator
from models.nets.stacked import StackedCritic, StackedGenerator
from models.nets.unet import UnetGenerator
from models.nets.vgg import Vgg19
from models.objectives import Objective, build_objective
from models.penalties import Penalty, build_penalty
from models.rng import stream_seed
from models.spec import games, nets
from models.spec.recipe import Recipe


@dataclass(frozen=True)
class Components:
    """The modules of a recipe's training."""

    generator: nn.Module
    critic: nn.Module | None
    game: Game
    objective: Objective | None
    penalties: list[Penalty]


def build(recipe: Recipe) -> Components:
    """Build all components with initial weights from the recipe's seed."""
    generator = build_generator(recipe)
    critic = build_critic(recipe) if recipe.critic else None
    players: dict[PlayerName, nn.Module] = {"generator": generator}
    if critic is not None:
        players["critic"] = critic
    penalties = [build_penalty(penalty, players) for penalty in recipe.penalties]
    objective = build_objective(recipe.objective) if recipe.objective else None
    return Components(generator, critic, _game(recipe, generator, critic), objective, penalties)


def build_generator(recipe: Recipe) -> nn.Module:
    """Build the generator; for the unpaired game a ModuleDict of `a2b` and `b2a`."""
    return _seeded(recipe, "generator", ("a2b", "b2a"), lambda: _generator(recipe))


def build_critic(recipe: Recipe) -> nn.Module:
    """Build the critic; for the unpaired game a ModuleDict of `a` and `b`. Raises ValueError if there is none."""
    spec = recipe.critic
    if spec is None:
        raise ValueError(f"The game '{recipe.game.kind}' has no critic to build.")
    if recipe.objective and recipe.objective.kind == "d2gan":
        return _seeded(recipe, "critic", ("a", "b"), lambda: DualCritic(_critic(recipe, spec), _critic(recipe, spec)))
    return _seeded(recipe, "critic", ("a", "b"), lambda: _critic(recipe, spec))


def count_parameters(network: nn.Module) -> int:
    """Return a network's number of weights, without buffers."""
    return sum(weight.numel() for weight in network.parameters())


def _seeded(recipe: Recipe, player: str, names: tuple[str, str], build_one: Callable[[], nn.Module]) -> nn.Module:
    """Build a player's network with initial weights from the recipe's seed; for the unpaired game two, by these names.

    torch's global random generator is left unchanged.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stream_seed(recipe.seed, f"initial/{player}"))
        if recipe.game.kind == "unpaired":
            return nn.ModuleDict({name: build_one() for name in names})
        return build_one()


def _generator(recipe: Recipe) -> nn.Module:
    spec, shape = recipe.generator, recipe.shape
    match spec:
        case nets.MlpGenerator():
            return MlpGenerator(spec, recipe.latent.size, shape, recipe.classes)
        case nets.DcganGenerator():
            return DcganGenerator(spec, recipe.latent.size, shape[1], shape[0], recipe.classes)
        case nets.ResidualGenerator():
            return ResidualGenerator(spec, recipe.latent.size, shape[1], shape[0], recipe.classes)
        case nets.ProgressiveGenerator():
            return ProgressiveGenerator(spec, recipe.latent.size, shape[1], shape[0])
        case nets.StackedGenerator():
            return StackedGenerator(spec, recipe.latent.size, shape[1], shape[0], recipe.classes)
        case nets.MlpAutoencoder():
            return MlpAutoencoder(spec, recipe.latent.size, shape, recipe.gaussian)
        case nets.DcganAutoencoder():
            return DcganAutoencoder(spec, recipe.latent.size, shape[1], shape[0], recipe.gaussian)
        case nets.SequenceGenerator():
            return SequenceGenerator(spec, recipe.latent.size, *shape)
        case nets.ResnetGenerator():
            return ResnetGenerator(spec, recipe.input_channels, shape[0])
        case nets.UnetGenerator():
            return UnetGenerator(spec, recipe.input_channels, shape[0])
        case nets.SrresnetGenerator():
            return SrresnetGenerator(spec, recipe.upscaling, shape[0])
        case _:
            assert_never(spec)


def _critic(recipe: Recipe, spec: nets.CriticSpec) -> nn.Module:
    shape, names_classes = recipe.critic_input_shape, recipe.penalty("auxiliary") is not None
    match spec:
        case nets.MlpCritic():
            return MlpCritic(spec, shape, recipe.classes, names_classes)
        case nets.DcganCritic():
            return DcganCritic(spec, shape[1], shape[0], recipe.classes, names_classes)
        case nets.ResidualCritic():
            return ResidualCritic(spec, shape[1], shape[0], recipe.classes, names_classes)
        case nets.ProgressiveCritic():
            return ProgressiveCritic(spec, shape[1], shape[0])
        case nets.StackedCritic():
            return StackedCritic(spec, shape[1], shape[0], recipe.classes, names_classes)
        case nets.AutoencoderCritic():
            return AutoencoderCritic(spec, shape[1], shape[0])
        case nets.SequenceCritic():
            return SequenceCritic(spec, *shape)
        case nets.PatchCritic():
            return PatchCritic(spec, shape[0])
        case _:
            assert_never(spec)


def _game(recipe: Recipe, generator: nn.Module, critic: nn.Module | None) -> Game:
    match recipe.game:
        case games.Synthesis():
            assert critic is not None
            return Synthesis(recipe.game, generator, critic, recipe.latent)
        case games.Reconstruction():
            assert isinstance(generator, Autoencoder)
            return Reconstruction(recipe.game, generator)
        case games.Unpaired():
            assert isinstance(generator, nn.ModuleDict)
            assert isinstance(critic, nn.ModuleDict)
            channels, height, width = recipe.shape
            return Unpaired(recipe.game, generator, critic, (channels, height, width))
        case games.Paired():
            assert critic is not None
            return Paired(recipe.game, generator, critic, _features(recipe, recipe.game))
        case _:
            assert_never(recipe.game)


def _features(recipe: Recipe, game: games.Paired) -> nn.Module | None:
    """Build the network of the content loss, before it is trained or loaded; None without a content loss."""
    if not game.content:
        return None
    build_one = Vgg19 if game.features == "vgg19" else partial(RotationNet, recipe.shape[0])
    return _seeded(recipe, "features", ("", ""), build_one)
