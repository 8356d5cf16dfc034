"""The paired game: its inputs and targets, the inputs of its critic, and its losses."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from models.build import build, build_critic, build_generator
from models.duel import Verdict
from models.games import degrade
from models.games.game import Batch
from models.games.paired import Paired, paired_examples
from models.nets.rotation import RotationNet
from models.rng import Rng, Stream
from models.spec import games as spec
from models.spec.recipe import Recipe
from models.spec.resolve import resolve
from models.spec.weight_compat import incompatibilities

SMALL: dict[str, dict[str, Any]] = {
    "pix2pix": {"generator": {"width": 4, "depth": 2}, "critic": {"width": 4, "layers": 1}},
    "srgan": {"generator": {"width": 4, "blocks": 1}, "critic": {"width": 4}},
    "inpaint": {"generator": {"width": 4, "blocks": 1}, "critic": {"width": 4}},
}
TASKS = [("pix2pix", "day2night"), ("pix2pix", "digits"), ("srgan", "digits"), ("inpaint", "digits")]


def recipe(family: str, dataset: str | None = None, side: int = 16, **overrides: Any) -> Recipe:
    parts = SMALL[family] | {"data": {"side": side}}
    merged = {name: parts.get(name, {}) | overrides.get(name, {}) for name in parts | overrides}
    return resolve(family, dataset=dataset, overrides=merged)[1]


def game(*args: Any, **overrides: Any) -> Paired:
    built = build(recipe(*args, **overrides)).game
    assert isinstance(built, Paired)
    return built


def batch(channels: int = 1, side: int = 16) -> Batch:
    generator = torch.Generator().manual_seed(1)
    a, b = (torch.rand(3, channels, side, side, generator=generator) * 2 - 1 for _ in range(2))
    return Batch(a, other=b if channels == 3 else None)


@pytest.mark.parametrize(("family", "dataset"), TASKS)
def test_duels_compare_the_target_with_the_output(family: str, dataset: str) -> None:
    played, examples = game(family, dataset), batch(3 if dataset == "day2night" else 1)
    draw = played.sample(examples, Rng(0), 5)
    target = examples.real if examples.other is None else examples.other
    ((for_critic,), ((for_generator,), _)) = played.critic_duels(draw, Rng(0)), played.generator_duels(draw, Rng(0))
    for duel in (for_critic, for_generator):
        assert torch.equal(duel.real, target)
        assert duel.weight == played.game.adversarial
        assert duel.critic(duel.fake).score.isfinite().all()
    assert for_critic.fake.shape == target.shape
    assert not for_critic.fake.requires_grad
    assert for_generator.fake.requires_grad
    assert torch.equal(played.sample(examples, Rng(0), 5).fake[""], draw.fake[""])


def test_target_is_b_of_a_pair_or_the_picture_itself_if_the_input_is_derived() -> None:
    pairs, single = batch(3), batch()
    paired = paired_examples(spec.Paired(), pairs, Stream(0))
    assert paired.input is pairs.real
    assert paired.target is pairs.other
    edges = paired_examples(spec.Paired(task="edges"), single, Stream(0))
    assert torch.equal(edges.input, degrade.edges(single.real))
    small = paired_examples(spec.Paired(task="downscaling", factor=4), single, Stream(0))
    assert small.input.shape == (3, 1, 4, 4)
    assert edges.target is small.target is single.real
    with pytest.raises(ValueError, match="batches of pairs"):
        paired_examples(spec.Paired(), single, Stream(0))


def test_holes_change_with_the_draw_and_known_pixels_are_kept() -> None:
    played, examples = game("inpaint"), batch()
    first, second = (played.sample(examples, Rng(0), number) for number in (0, 1))
    assert first.condition is not None
    assert second.condition is not None
    assert not torch.equal(first.condition[:, 1:], second.condition[:, 1:])
    known = first.condition[:, 1:] == 0
    assert torch.equal(first.fake[""][known], examples.real[known])
    assert not torch.equal(first.fake[""][~known], examples.real[~known])


class RecordingCritic(nn.Module):
    """A critic that records its input."""

    def forward(self, x: Tensor) -> Verdict:
        self.x = x
        return Verdict(x.mean(dim=(1, 2, 3)))


@pytest.mark.parametrize("conditional", [True, False])
@pytest.mark.parametrize("task", ["edges", "masks"])
def test_critic_gets_the_input_only_in_a_conditional_game(conditional: bool, task: str) -> None:
    family = "pix2pix" if task == "edges" else "inpaint"
    played, critic = game(family, "digits", game={"conditional": conditional}), RecordingCritic()
    played.players["critic"] = critic
    draw = played.sample(batch(), Rng(0), 0)
    duel = played.critic_duels(draw, Rng(0))[0]
    duel.critic(duel.fake)
    assert draw.condition is not None
    expected = torch.cat([draw.condition, duel.fake], dim=1) if conditional else duel.fake
    assert torch.equal(critic.x, expected)


class ConstantNetwork(nn.Module):
    """Returns the same output for every input."""

    def __init__(self, output: Tensor) -> None:
        super().__init__()
        self.output = output

    def forward(self, x: Tensor) -> Tensor:
        return self.output


def test_pixel_and_content_losses_are_zero_only_for_the_target() -> None:
    played, examples = game("srgan", game={"pixel": 10, "content": 2}), batch()
    losses = {}
    for name, output in (("right", examples.real), ("wrong", -examples.real)):
        played.players["generator"] = ConstantNetwork(output)
        losses[name] = played.generator_duels(played.sample(examples, Rng(0), 0), Rng(0))[1]
    assert {name: loss.item() for name, loss in losses["right"].items()} == {"pixel": 0.0, "content": 0.0}
    assert losses["wrong"]["pixel"].item() == pytest.approx(10 * 2 * examples.real.abs().mean().item())
    assert losses["wrong"]["content"].item() > 0


def test_losses_with_a_weight_of_zero_are_left_out() -> None:
    played = game("srgan", game={"pixel": 0, "content": 0})
    assert played.generator_duels(played.sample(batch(), Rng(0), 0), Rng(0))[1] == {}
    assert played.state_dict() == {}


def test_feature_network_belongs_to_the_game_and_is_frozen() -> None:
    played = game("srgan")
    assert isinstance(played.features, RotationNet)
    assert {name.split(".")[0] for name in played.state_dict()} == {"features"}
    assert not any(weight.requires_grad for weight in played.parameters())
    draw = played.sample(batch(), Rng(0), 0)
    played.generator_duels(draw, Rng(0))[1]["content"].backward()  # type: ignore[no-untyped-call]
    assert all(weight.grad is not None for weight in played.players["generator"].parameters())


@pytest.mark.parametrize(
    ("source", "target", "field"),
    [
        (recipe("srgan"), recipe("srgan", game={"factor": 4}), "game.factor"),
        (recipe("inpaint"), recipe("inpaint", side=32), "data.side"),
        (
            recipe("pix2pix", "digits"),
            recipe("pix2pix", "digits", game={"conditional": False}),
            "number of channels judged",
        ),
        (recipe("pix2pix", "digits"), recipe("pix2pix", "digits", game={"task": "masks"}), "number of channels given"),
    ],
)
def test_incompatibility_names_the_field_that_changes_weights(source: Recipe, target: Recipe, field: str) -> None:
    assert any(sentence.startswith(f"{field} is ") for sentence in incompatibilities(source, target))
    shapes = [
        [
            weight.shape
            for network in (build_generator(recipe_), build_critic(recipe_))
            if network
            for weight in network.parameters()
        ]
        for recipe_ in (source, target)
    ]
    assert shapes[0] != shapes[1]


def test_recipes_with_different_masks_are_compatible() -> None:
    assert incompatibilities(recipe("inpaint"), recipe("inpaint", game={"mask": "left"})) == []
