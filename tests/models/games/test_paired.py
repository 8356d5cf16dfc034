"""The paired game: what is asked, what the critic sees, and what is compared."""

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
    made = build(recipe(*args, **overrides)).game
    assert isinstance(made, Paired)
    return made


def batch(channels: int = 1, side: int = 16) -> Batch:
    generator = torch.Generator().manual_seed(1)
    a, b = (torch.rand(3, channels, side, side, generator=generator) * 2 - 1 for _ in range(2))
    return Batch(a, other=b if channels == 3 else None)


@pytest.mark.parametrize(("family", "dataset"), TASKS)
def test_the_right_answer_faces_what_was_made_of_what_was_given(family: str, dataset: str) -> None:
    played, examples = game(family, dataset), batch(3 if dataset == "day2night" else 1)
    draw = played.draw(examples, Rng(0), 5)
    answer = examples.real if examples.other is None else examples.other
    ((for_critic,), ((for_generator,), _)) = played.critic_duels(draw, Rng(0)), played.generator_duels(draw, Rng(0))
    for duel in (for_critic, for_generator):
        assert torch.equal(duel.real, answer)
        assert duel.weight == played.game.adversarial
        assert duel.critic(duel.fake).score.isfinite().all()
    assert for_critic.fake.shape == answer.shape
    assert not for_critic.fake.requires_grad
    assert for_generator.fake.requires_grad
    assert torch.equal(played.draw(examples, Rng(0), 5).fake[""], draw.fake[""])


def test_the_answer_is_b_of_a_pair_and_the_picture_itself_where_the_question_is_made_of_it() -> None:
    pairs, single = batch(3), batch()
    given = paired_examples(spec.Paired(), pairs, Stream(0))
    assert given.input is pairs.real
    assert given.target is pairs.other
    edges = paired_examples(spec.Paired(task="edges"), single, Stream(0))
    assert torch.equal(edges.input, degrade.edges(single.real))
    small = paired_examples(spec.Paired(task="downscaling", factor=4), single, Stream(0))
    assert small.input.shape == (3, 1, 4, 4)
    assert edges.target is small.target is single.real
    with pytest.raises(ValueError, match="batches of pairs"):
        paired_examples(spec.Paired(), single, Stream(0))


def test_holes_move_with_the_draw_and_what_is_known_is_kept() -> None:
    played, examples = game("inpaint"), batch()
    first, second = (played.draw(examples, Rng(0), number) for number in (0, 1))
    assert first.condition is not None
    assert second.condition is not None
    assert not torch.equal(first.condition[:, 1:], second.condition[:, 1:])
    known = first.condition[:, 1:] == 0
    assert torch.equal(first.fake[""][known], examples.real[known])
    assert not torch.equal(first.fake[""][~known], examples.real[~known])


class Seen(nn.Module):
    """A critic that remembers what it was shown."""

    def forward(self, x: Tensor) -> Verdict:
        self.x = x
        return Verdict(x.mean(dim=(1, 2, 3)))


@pytest.mark.parametrize("conditional", [True, False])
@pytest.mark.parametrize("task", ["edges", "masks"])
def test_the_critic_sees_what_was_given_when_the_game_is_conditional(conditional: bool, task: str) -> None:
    family = "pix2pix" if task == "edges" else "inpaint"
    played, critic = game(family, "digits", game={"conditional": conditional}), Seen()
    played.players["critic"] = critic
    draw = played.draw(batch(), Rng(0), 0)
    duel = played.critic_duels(draw, Rng(0))[0]
    duel.critic(duel.fake)
    assert draw.condition is not None
    expected = torch.cat([draw.condition, duel.fake], dim=1) if conditional else duel.fake
    assert torch.equal(critic.x, expected)


class Perfect(nn.Module):
    """Knows the answer."""

    def __init__(self, answer: Tensor) -> None:
        super().__init__()
        self.answer = answer

    def forward(self, x: Tensor) -> Tensor:
        return self.answer


def test_pixels_and_contents_of_a_perfect_answer_differ_by_nothing_and_of_another_by_something() -> None:
    played, examples = game("srgan", game={"pixel": 10, "content": 2}), batch()
    losses = {}
    for name, answer in (("right", examples.real), ("wrong", -examples.real)):
        played.players["generator"] = Perfect(answer)
        losses[name] = played.generator_duels(played.draw(examples, Rng(0), 0), Rng(0))[1]
    assert {name: loss.item() for name, loss in losses["right"].items()} == {"pixel": 0.0, "content": 0.0}
    assert losses["wrong"]["pixel"].item() == pytest.approx(10 * 2 * examples.real.abs().mean().item())
    assert losses["wrong"]["content"].item() > 0


def test_weights_of_zero_leave_the_terms_out() -> None:
    played = game("srgan", game={"pixel": 0, "content": 0})
    assert played.generator_duels(played.draw(batch(), Rng(0), 0), Rng(0))[1] == {}
    assert played.state_dict() == {}


def test_the_feature_network_is_the_games_own_and_is_frozen() -> None:
    played = game("srgan")
    assert isinstance(played.features, RotationNet)
    assert {name.split(".")[0] for name in played.state_dict()} == {"features"}
    assert not any(weight.requires_grad for weight in played.parameters())
    draw = played.draw(batch(), Rng(0), 0)
    played.generator_duels(draw, Rng(0))[1]["content"].backward()  # type: ignore[no-untyped-call]
    assert all(weight.grad is not None for weight in played.players["generator"].parameters())


@pytest.mark.parametrize(
    ("learned", "wanted", "part"),
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
def test_what_changes_the_weights_is_named(learned: Recipe, wanted: Recipe, part: str) -> None:
    assert any(sentence.startswith(f"{part} is ") for sentence in incompatibilities(learned, wanted))
    shapes = [
        [
            weight.shape
            for network in (build_generator(one), build_critic(one))
            if network
            for weight in network.parameters()
        ]
        for one in (learned, wanted)
    ]
    assert shapes[0] != shapes[1]


def test_masks_of_another_kind_fit() -> None:
    assert incompatibilities(recipe("inpaint"), recipe("inpaint", game={"mask": "left"})) == []
