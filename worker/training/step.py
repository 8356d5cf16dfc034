"""One training step, as the papers write it: the critic's turns, then the generator's.

`Player.backward` clears and computes the gradients, `Player.step` moves the weights; DCGAN's order is "critic_first".

A CUDA graph may repeat the whole of `Step.run` (worker.training.cuda_graphs), so nothing in it waits for the device and
everything that it changes lies in tensors. Ranks meet in `Player.backward` and in the draws.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch

from data.batches import Batches
from models.duel import Losses
from models.games.game import Draw, Game
from models.objectives import Objective
from models.penalties import Penalty
from models.spec.training import Turns
from worker.training.lookahead import predicted, unrolled
from worker.training.losses import DuelLosses
from worker.training.players import Player


@dataclass(frozen=True, eq=False)
class Step:
    """The step of a recipe: its players and their losses. `critic` is None in games without one."""

    turns: Turns
    batches: Batches
    game: Game
    objective: Objective | None
    penalties: Sequence[Penalty]
    losses: DuelLosses
    generator: Player
    critic: Player | None

    def run(self, step: int) -> Losses:
        """Make step number `step` and return its losses by name, on the device."""
        *earlier, last = range(step * self.turns.critic_steps, (step + 1) * self.turns.critic_steps)
        for number in earlier:
            assert self.critic is not None
            with torch.no_grad():
                draw = self.draw(number)
            self.critic_gradients(self.critic, draw, step)
            self.critic.step()
        losses = self.last_turns(self.draw(last), step)
        for penalty in self.penalties:
            penalty.update_state()
        return losses

    def last_turns(self, draw: Draw, step: int) -> Losses:
        """Make the critic's last turn, where there is one, and the generator's over one draw, in the recipe's order."""
        generator, critic = self.generator, self.critic
        if critic is None:
            losses = self.generator_gradients(draw, step)
            generator.step()
            return losses
        match self.turns.order:
            case "critic_first":
                before = [weight.detach().clone() for weight in critic.network.parameters()] if self._predicts else []
                losses = self.critic_gradients(critic, draw, step)
                critic.step()
                with predicted(critic.network, before) if self._predicts else nullcontext():
                    losses |= self.generator_gradients(draw, step)
                generator.step()
            case "generator_first":
                losses = self.generator_gradients(draw, step)
                generator.step()
                losses |= self.critic_gradients(critic, draw, step)
                critic.step()
            case "simultaneous":
                losses = self.critic_gradients(critic, draw, step)
                losses |= self.generator_gradients(draw, step)
                generator.step()
                critic.step()
        return losses

    def draw(self, number: int) -> Draw:
        """Run the generators on batch `number`. Both players' turns share the draw."""
        self.batches.rng.reseed_layers("draw", number)
        with self.losses.autocast():
            return self.game.draw(self.batches.batch(number), self.batches.rng, number)

    def critic_gradients(self, critic: Player, draw: Draw, step: int) -> Losses:
        """Compute the critic's losses and their gradients."""
        self.batches.rng.reseed_layers("critic", draw.number)
        duels = self.game.critic_duels(draw, self.batches.rng)
        return critic.backward(self.losses.compute("critic", duels, draw.number, step))

    def generator_gradients(self, draw: Draw, step: int) -> Losses:
        """Compute the generator's losses and their gradients. The critic is frozen meanwhile, which saves its own."""
        self.batches.rng.reseed_layers("generator", draw.number)
        if self.critic:
            self.critic.network.requires_grad_(False)
        try:
            with self._lookahead(draw):
                with self.losses.autocast():
                    duels, own = self.game.generator_duels(draw, self.batches.rng)
                losses = self.losses.compute("generator", duels, draw.number, step)
                losses |= {f"generator/{name}": loss for name, loss in own.items()}
                return self.generator.backward(losses)
        finally:
            if self.critic:
                self.critic.network.requires_grad_(True)

    @property
    def _predicts(self) -> bool:
        return self.turns.prediction

    def _lookahead(self, draw: Draw) -> AbstractContextManager[None]:
        turns = self.turns
        if not turns.unrolled or self.objective is None:
            return nullcontext()
        return unrolled(self.game, self.objective, draw, self.batches.rng, turns.unrolled, turns.unrolled_rate)
