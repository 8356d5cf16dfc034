"""Games: the pool of older fakes, and what the two turns of CycleGAN are made of."""

import torch
from torch import nn

from models.build import build
from models.games.game import Batch
from models.games.unpaired import Unpaired, _query_pool
from models.rng import Rng
from models.spec.resolve import resolve


def small_cyclegan(**game: float) -> Unpaired:
    overrides = {"data": {"side": 16}, "game": game, "generator": {"blocks": 0, "width": 4}, "critic": {"layers": 1}}
    cast = build(resolve("cyclegan", overrides=overrides)[1])
    assert isinstance(cast.game, Unpaired)
    return cast.game


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


def test_no_pool_shows_only_fresh_fakes() -> None:
    fresh = torch.ones(3, 2)
    assert _query_pool(torch.zeros(0, 2), fresh, Rng(0).stream("pool", 5)) is fresh


def test_both_turns_share_one_draw_and_only_the_generators_turn_has_a_graph() -> None:
    game = small_cyclegan(pool=0)
    batch = Batch(torch.rand(2, 3, 16, 16), other=torch.rand(2, 3, 16, 16))
    draw = game.draw(batch, Rng(0), 0)
    for_critic = {duel.tag: duel for duel in game.critic_duels(draw, Rng(0))}
    for_generator = {duel.tag: duel for duel in game.generator_duels(draw, Rng(0))[0]}
    for tag in ("a", "b"):
        assert torch.equal(for_critic[tag].fake, for_generator[tag].fake)
        assert not for_critic[tag].fake.requires_grad
        assert for_generator[tag].fake.requires_grad
    assert torch.equal(for_critic["a"].real, batch.real)


def test_what_penalties_draw_leaves_no_trace_in_the_generator() -> None:
    cast = build(resolve("dcgan", overrides={"generator": {"width": 4}, "critic": {"width": 4}})[1])
    duels, _ = cast.game.generator_duels(cast.game.draw(Batch(torch.rand(4, 1, 16, 16)), Rng(0), 0), Rng(0))
    origin = duels[0].origin
    assert origin is not None

    def statistics() -> list[torch.Tensor]:
        return [buffer.clone() for name, buffer in cast.generator.named_buffers() if "running" in name]

    before = statistics()
    origin.generate(5 * origin.latent)
    assert all(map(torch.equal, before, statistics()))
    cast.generator(5 * origin.latent)
    assert not any(map(torch.equal, before, statistics()))


def test_cycle_and_identity_of_perfect_generators_are_zero() -> None:
    game = small_cyclegan(cycle=10, identity=5, pool=0)
    game.players["generator"] = nn.ModuleDict({"a2b": nn.Identity(), "b2a": nn.Identity()})
    batch = Batch(torch.rand(1, 3, 16, 16), other=torch.rand(1, 3, 16, 16))
    _, losses = game.generator_duels(game.draw(batch, Rng(0), 0), Rng(0))
    assert {name: loss.item() for name, loss in losses.items()} == {"cycle": 0.0, "identity": 0.0}


def test_weights_of_zero_leave_the_terms_out() -> None:
    game = small_cyclegan(cycle=0, identity=0)
    batch = Batch(torch.rand(1, 3, 16, 16), other=torch.rand(1, 3, 16, 16))
    assert game.generator_duels(game.draw(batch, Rng(0), 0), Rng(0))[1] == {}


def test_players_own_their_weights_and_the_game_its_pools() -> None:
    assert set(small_cyclegan(pool=3).state_dict()) == {"pool_a", "pool_b"}
