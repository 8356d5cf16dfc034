"""The trainer: the only code that calls backward and step."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from models.build import build
from models.duel import Duel, Losses, Scores, Turn, Verdict
from models.games import Draw
from models.penalties import Penalty
from models.rng import Rng
from models.spec.recipe import Recipe
from worker.training.batches import Batches
from worker.training.players import Average, Player, optimizer, rate_factor

NETWORKS = ("generator", "critic", "average")


class NonFinite(Exception):
    """A loss stopped being finite at `step`; `indices` are the rows of that step's last batch."""

    def __init__(self, step: int, indices: Sequence[int]) -> None:
        rows = ", ".join(map(str, indices[:8])) + (", ..." if len(indices) > 8 else "")
        super().__init__(
            f"A loss stopped being finite at step {step} (examples {rows}). "
            "Lower the learning rates, or look at those examples; the last checkpoint is kept."
        )
        self.step = step
        self.indices = tuple(indices)


class Trainer:
    """Two players, their game, and the step they are at. Everything with state is in `state_dict`."""

    def __init__(self, recipe: Recipe, batches: Batches, device: torch.device, precision: str) -> None:
        self.recipe, self.batches, self.device = recipe, batches, device
        self.rng = Rng(recipe.seed)
        self.half = precision == "bf16"
        cast = build(recipe)
        self.game = cast.game.to(device)
        self.objective = cast.objective.to(device)
        self.penalties = nn.ModuleList(cast.penalties).to(device)
        self.generator = self._player(cast.generator, recipe.generator_optimizer)
        self.critic = self._player(cast.critic, recipe.critic_optimizer, recipe.critic_clip)
        self.average = Average(self.generator.network, recipe.ema.decay)
        self.step = 0
        self._bad_step = torch.tensor(-1, device=device)

    def advance(self) -> Losses:
        """One step: the critic's moves and the generator's. The losses stay on the device."""
        factor = rate_factor(self.recipe.schedule, self.step, self.recipe.budget.steps)
        turns = self.recipe.turns
        first = self.step * turns.critic_steps
        for number in range(first, first + turns.critic_steps - 1):
            with torch.no_grad():
                draw = self._draw(number)
            self.critic.gather(self._critic_losses(draw))
            self.critic.move(factor)
        losses = self._last_duel(self._draw(first + turns.critic_steps - 1), factor)
        self.average.follow(self.step)
        self._watch(losses)
        self.step += 1
        return losses

    def check(self) -> None:
        """Raise NonFinite if any step so far was not finite. Synchronises with the device."""
        step = int(self._bad_step)
        if step >= 0:
            draw = (step + 1) * self.recipe.turns.critic_steps - 1
            raise NonFinite(step + 1, self.batches.indices(draw).tolist())

    def state_dict(self) -> dict[str, Any]:
        return {"step": self.step} | {name: part.state_dict() for name, part in self._parts().items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.step = state["step"]
        for name, part in self._parts().items():
            part.load_state_dict(state[name])

    def begin_with(self, state: dict[str, Any]) -> None:
        """Take over the weights of another job's state; optimisers, game and step are as new."""
        parts = self._parts()
        for name in NETWORKS:
            parts[name].load_state_dict(state[name])

    def _parts(self) -> dict[str, Any]:
        return {
            "generator": self.generator.network,
            "generator_optimizer": self.generator.optimizer,
            "critic": self.critic.network,
            "critic_optimizer": self.critic.optimizer,
            "average": self.average.network,
            "game": self.game,
            "objective": self.objective,
            "penalties": self.penalties,
        }

    def _player(self, network: nn.Module, spec: Any, clip: float | None = None) -> Player:
        network.to(self.device).train()
        return Player(network, optimizer(spec, network.parameters()), spec.rate, clip)

    def _last_duel(self, draw: Draw, factor: float) -> Losses:
        """Both players meet over one draw, in the order the recipe says."""
        order = self.recipe.turns.order
        losses: Losses = {}
        if order == "generator_first":
            losses |= self._generator_turn(draw)
            self.generator.move(factor)
        losses |= (critic := self._critic_losses(draw))
        self.critic.gather(critic)
        if order == "critic_first":
            self.critic.move(factor)
        if order != "generator_first":
            losses |= self._generator_turn(draw)
            self.generator.move(factor)
        if order != "critic_first":
            self.critic.move(factor)
        return losses

    def _draw(self, number: int) -> Draw:
        self.rng.reseed_layers("draw", number)
        with self._autocast():
            return self.game.draw(self.batches.batch(number), self.rng, number)

    def _critic_losses(self, draw: Draw) -> Losses:
        self.rng.reseed_layers("critic", draw.number)
        return self._judge("critic", self.game.critic_duels(draw, self.rng), draw.number)

    def _generator_turn(self, draw: Draw) -> Losses:
        """The generator's losses, gathered; the critic is frozen meanwhile, which saves its gradients."""
        self.rng.reseed_layers("generator", draw.number)
        self.critic.network.requires_grad_(False)
        with self._autocast():
            duels, own = self.game.generator_duels(draw, self.rng)
        losses = self._judge("generator", duels, draw.number)
        losses |= {f"generator/{name}": loss for name, loss in own.items()}
        self.generator.gather(losses)
        self.critic.network.requires_grad_(True)
        return losses

    def _judge(self, turn: Turn, duels: list[Duel], number: int) -> Losses:
        """The objective of each duel and every penalty due, by name."""
        due = [penalty for penalty in self.penalties if isinstance(penalty, Penalty) and penalty.due(turn, self.step)]
        losses: Losses = {}
        for duel in duels:
            suffix = f"_{duel.tag}" if duel.tag else ""
            duel, scores = self._score(turn, duel, any(penalty.slopes for penalty in due))
            losses[f"{turn}/{self.recipe.objective.kind}{suffix}"] = getattr(self.objective, turn)(scores)
            for penalty in due:
                rng = self.rng.stream(f"penalty/{penalty.name}{suffix}", number)
                losses[f"{turn}/{penalty.name}{suffix}"] = penalty(turn, duel, scores, rng)
            if turn == "critic":
                self.objective.settle(scores)
        return losses

    def _score(self, turn: Turn, duel: Duel, slopes: bool) -> tuple[Duel, Scores]:
        """Both verdicts, in fp32; where a slope will be taken the critic itself runs in fp32."""
        with self._autocast(off=slopes):
            fake = _full(duel.critic(duel.fake.float()))
            if turn == "generator" and not self.objective.compares:
                return duel, Scores(None, fake)
            real = duel.real.detach().requires_grad_(slopes)
            return replace(duel, real=real), Scores(_full(duel.critic(real)), fake)

    def _autocast(self, off: bool = False) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.half and not off)

    def _watch(self, losses: Losses) -> None:
        """Remember, on the device, the first step whose losses were not finite."""
        total = torch.stack([loss.detach().float() for loss in losses.values()]).sum()
        fresh = ~total.isfinite() & (self._bad_step < 0)
        self._bad_step = torch.where(fresh, torch.full_like(self._bad_step, self.step), self._bad_step)


def _full(verdict: Verdict) -> Verdict:
    classes: Tensor | None = None if verdict.classes is None else verdict.classes.float()
    return Verdict(verdict.score.float(), classes)
