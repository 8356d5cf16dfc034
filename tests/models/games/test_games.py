"""Games: the pool of older fakes, and the duels of both turns of CycleGAN."""

import torch
from torch import nn

from models.build import build
from models.games.game import Batch
from models.games.unpaired import Unpaired, _query_pool
from models.rng import Rng
from models.spec.resolve import resolve


def small_cyclegan(**game: float) -> Unpaired:
    overrides = {"data": {"side": 16}, "game": game, "generator": {"blocks": 0, "width": 4}, "critic": {"layers": 1}}
    components = build(resolve("cyclegan", overrides=overrides)[1])
    assert isinstance(components.game, Unpaired)
    return components.game


def test_pool_fills_first_then_shows_older_fakes_about_every_second_time() -> None:
    pool, rng = torch.zeros(4, 1), Rng(0)
    older = 0
    for number in range(200):
        fresh = torch.tensor([[2.0 * number], [2.0 * number + 1]])
        shown = _query_pool(pool, fresh, rng.stream("pool", number))
        if number < 2:
            assert torch.equal(shown, fresh), "until the pool is full every fake is shown"
        older += int((shown != fresh).sum())
    assert 160 < older < 240
    assert (pool > 100).any(), "older fakes are replaced"


def test_pool_of_size_zero_returns_the_fresh_fakes() -> None:
    fresh = torch.ones(3, 2)
    assert _query_pool(torch.zeros(0, 2), fresh, Rng(0).stream("pool", 5)) is fresh


def test_both_turns_share_one_draw_and_only_the_generator_turn_has_a_graph() -> None:
    game = small_cyclegan(pool=0)
    batch = Batch(torch.rand(2, 3, 16, 16), other=torch.rand(2, 3, 16, 16))
    draw = game.sample(batch, Rng(0), 0)
    for_critic = {duel.domain: duel for duel in game.critic_duels(draw, Rng(0))}
    for_generator = {duel.domain: duel for duel in game.generator_duels(draw, Rng(0))[0]}
    for tag in ("a", "b"):
        assert torch.equal(for_critic[tag].fake, for_generator[tag].fake)
        assert not for_critic[tag].fake.requires_grad
        assert for_generator[tag].fake.requires_grad
    assert torch.equal(for_critic["a"].real, batch.real)


def test_generating_for_penalties_changes_no_norm_statistics() -> None:
    components = build(resolve("dcgan", overrides={"generator": {"width": 4}, "critic": {"width": 4}})[1])
    duels, _ = components.game.generator_duels(
        components.game.sample(Batch(torch.rand(4, 1, 16, 16)), Rng(0), 0), Rng(0)
    )
    origin = duels[0].origin
    assert origin is not None

    def statistics() -> list[torch.Tensor]:
        return [buffer.clone() for name, buffer in components.generator.named_buffers() if "running" in name]

    before = statistics()
    origin.generate(5 * origin.latent)
    assert all(map(torch.equal, before, statistics()))
    components.generator(5 * origin.latent)
    assert not any(map(torch.equal, before, statistics()))


def test_cycle_and_identity_losses_of_identity_generators_are_zero() -> None:
    game = small_cyclegan(cycle=10, identity=5, pool=0)
    game.players["generator"] = nn.ModuleDict({"a2b": nn.Identity(), "b2a": nn.Identity()})
    batch = Batch(torch.rand(1, 3, 16, 16), other=torch.rand(1, 3, 16, 16))
    _, losses = game.generator_duels(game.sample(batch, Rng(0), 0), Rng(0))
    assert {name: loss.item() for name, loss in losses.items()} == {"cycle": 0.0, "identity": 0.0}


def test_terms_with_a_weight_of_zero_are_left_out() -> None:
    game = small_cyclegan(cycle=0, identity=0)
    batch = Batch(torch.rand(1, 3, 16, 16), other=torch.rand(1, 3, 16, 16))
    assert game.generator_duels(game.sample(batch, Rng(0), 0), Rng(0))[1] == {}


def test_state_of_a_game_holds_its_pools_and_no_weights_of_players() -> None:
    assert set(small_cyclegan(pool=3).state_dict()) == {"pool_a", "pool_b"}
