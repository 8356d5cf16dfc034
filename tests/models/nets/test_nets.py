"""Networks: published parameter counts, every side, names of layers, classes and seeds."""

import pytest
import torch
from torch import nn

from models.build import build_critic, build_generator, count_parameters
from models.spec.nets import halvings
from models.spec.recipe import Recipe
from models.spec.resolve import resolve


def recipe(family: str, **keywords: object) -> Recipe:
    return resolve(family, **keywords)[1]  # type: ignore[arg-type]


def test_dcgan_64_has_the_published_parameters() -> None:
    colour = recipe("dcgan", dataset="mnist", overrides={"data": {"side": 64, "channels": 3}})
    assert count_parameters(build_generator(colour)) == 3_576_704
    assert count_parameters(build_critic(colour)) == 2_765_568


def test_cyclegan_256_has_the_published_parameters() -> None:
    large = recipe("cyclegan", overrides={"data": {"side": 256}})
    generator, critic = build_generator(large), build_critic(large)
    assert isinstance(generator, nn.ModuleDict)
    assert isinstance(critic, nn.ModuleDict)
    assert [count_parameters(generator[name]) for name in ("a2b", "b2a")] == [11_378_179] * 2
    assert [count_parameters(critic[name]) for name in ("a", "b")] == [2_764_737] * 2
    medium = build_generator(recipe("cyclegan", overrides={"data": {"side": 128}}))
    assert count_parameters(medium) == 2 * 7_837_699


def test_cyclegan_layers_have_the_names_and_shapes_of_the_authors_code() -> None:
    generator = build_generator(recipe("cyclegan", overrides={"data": {"side": 256}}))
    assert isinstance(generator, nn.ModuleDict)
    shapes = {name: tuple(value.shape) for name, value in generator["a2b"].state_dict().items()}
    assert len(shapes) == 48
    assert shapes["model.1.weight"] == (64, 3, 7, 7)
    assert shapes["model.18.conv_block.5.weight"] == (256, 256, 3, 3)
    assert shapes["model.19.weight"] == (256, 128, 3, 3)
    assert shapes["model.26.weight"] == (3, 64, 7, 7)


def test_mlp_has_the_parameters_of_the_lecture() -> None:
    mlp = recipe("gan", dataset="mnist")
    assert count_parameters(build_generator(mlp)) == 114_064
    assert count_parameters(build_critic(mlp)) == 100_609


@pytest.mark.parametrize("side", [8, 9, 13, 16, 28, 30, 32, 64, 96])
@pytest.mark.parametrize("family", ["dcgan", "cdcgan", "wgan_gp"])
def test_dcgan_players_fit_every_side(family: str, side: int) -> None:
    whole = recipe(family, overrides={"data": {"side": side, "channels": 3}})
    label = torch.zeros(2, dtype=torch.long) if whole.class_conditional else None
    pictures = build_generator(whole)(torch.randn(2, whole.latent.size), label)
    assert pictures.shape == (2, 3, side, side)
    assert pictures.abs().max() <= 1
    assert build_critic(whole)(pictures, label).score.shape == (2,)


def test_depth_follows_from_the_side() -> None:
    assert halvings(64) == [4, 8, 16, 32, 64]
    assert halvings(28) == [7, 14, 28]
    assert halvings(30) == [4, 8, 15, 30]


def test_a_class_changes_the_picture_and_the_score() -> None:
    whole = recipe("cdcgan")
    generator, critic = build_generator(whole), build_critic(whole)
    z = torch.randn(2, whole.latent.size)
    zeros, sevens = torch.zeros(2, dtype=torch.long), torch.full((2,), 7)
    assert not torch.equal(generator(z, zeros), generator(z, sevens))
    x = generator(z, zeros)
    assert not torch.equal(critic(x, zeros).score, critic(x, sevens).score)
    assert critic(x, zeros).classes.shape == (2, 10)


def test_weights_follow_from_the_seed_alone() -> None:
    torch.manual_seed(1)
    first = build_generator(recipe("dcgan", seed=5)).state_dict()
    before = torch.rand(1)
    torch.manual_seed(1)
    second = build_generator(recipe("dcgan", seed=5)).state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert torch.equal(before, torch.rand(1)), "building must leave the global generator alone"
    other = build_generator(recipe("dcgan", seed=6)).state_dict()
    assert not torch.equal(first["rise.0.weight"], other["rise.0.weight"])
