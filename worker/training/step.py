"""One training step, as the papers write it: the critic's turns, then the generator's.

Each turn draws, computes losses and gradients (`Player.backward`), and updates the weights (`Player.update`).

A CUDA graph may replay `TrainingStep.run` (worker.training.cuda_graphs): it never synchronises with the device, and it
keeps all the state that it changes in tensors. Ranks communicate in `Player.backward` and in the draws.
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
from worker.training.lookahead import predicted_critic, unrolled_critic
from worker.training.losses import DuelLosses
from worker.training.players import Player


@dataclass(frozen=True, eq=False)
class TrainingStep:
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
        """Run step number `step` and return its losses by name, on the device.

        The critic takes `turns.critic_steps` turns. Its last turn and the generator's turn share a draw.
        """
        *earlier, last = range(step * self.turns.critic_steps, (step + 1) * self.turns.critic_steps)
        for number in earlier:
            with torch.no_grad():
                draw = self.draw(number)
            self.train_critic(draw, step)
        draw = self.draw(last)
        match self.turns.order:
            case "critic_first":  # Goodfellow et al. 2014, and the default
                losses = self.train_critic(draw, step) | self.train_generator(draw, step)
            case "generator_first":
                losses = self.train_generator(draw, step) | self.train_critic(draw, step)
            case "simultaneous":
                losses = self.backward_critic(draw, step) | self.backward_generator(draw, step)
                for player in filter(None, (self.generator, self.critic)):
                    player.update()
        for penalty in self.penalties:
            penalty.update_state()
        return losses

    def train_critic(self, draw: Draw, step: int) -> Losses:
        """Take one turn of the critic; return {} in games without one."""
        losses = self.backward_critic(draw, step)
        if self.critic:
            self.critic.update()
        return losses

    def train_generator(self, draw: Draw, step: int) -> Losses:
        """Take one turn of the generator."""
        losses = self.backward_generator(draw, step)
        self.generator.update()
        return losses

    def draw(self, number: int) -> Draw:
        """Run the generators on batch `number`."""
        self.batches.rng.reseed_layers("draw", number)
        with self.losses.autocast():
            return self.game.draw(self.batches.batch(number), self.batches.rng, number)

    def backward_critic(self, draw: Draw, step: int) -> Losses:
        """Compute the critic's losses and their gradients, and return the losses."""
        if self.critic is None:
            return {}
        self.batches.rng.reseed_layers("critic", draw.number)
        duels = self.game.critic_duels(draw, self.batches.rng)
        return self.critic.backward(self.losses.compute("critic", duels, draw.number, step))

    def backward_generator(self, draw: Draw, step: int) -> Losses:
        """Compute the generator's losses and their gradients, and return the losses.

        The critic's weights need no gradients meanwhile: that saves their computation.
        """
        self.batches.rng.reseed_layers("generator", draw.number)
        if self.critic:
            self.critic.network.requires_grad_(False)
        try:
            with self._lookahead(draw):
                with self.losses.autocast():
                    duels, extra = self.game.generator_duels(draw, self.batches.rng)
                losses = self.losses.compute("generator", duels, draw.number, step)
                losses |= {f"generator/{name}": loss for name, loss in extra.items()}
                return self.generator.backward(losses)
        finally:
            if self.critic:
                self.critic.network.requires_grad_(True)

    def _lookahead(self, draw: Draw) -> AbstractContextManager[None]:
        """Replace the critic by its prediction for a later turn, if the recipe asks for one."""
        turns = self.turns
        if turns.prediction and self.critic:
            return predicted_critic(self.critic.network, self.critic.previous)
        if turns.unrolled and self.objective:
            return unrolled_critic(
                self.game, self.objective, draw, self.batches.rng, turns.unrolled, turns.unrolled_rate
            )
        return nullcontext()
