"""One training step, as the papers write it: the critic's turns, then the generator's.

Each turn samples fakes, computes losses and gradients (`Player.backward`), and updates the weights (`Player.update`).

A CUDA graph may replay `TrainingStep.run` (worker.training.cuda_graphs): it never synchronises with the device, and it
keeps all the state that it changes in tensors. Ranks communicate in `Player.backward` and while they sample.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch

from data.batches import Batches
from models.duel import Losses
from models.games.game import Game, SampledBatch
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

        The critic takes `turns.critic_steps` turns. Its last turn and the generator's turn share a sampled batch.
        """
        *earlier, last = range(step * self.turns.critic_steps, (step + 1) * self.turns.critic_steps)
        for number in earlier:
            with torch.no_grad():
                sampled = self.sample(number)
            self.train_critic(sampled, step)
        sampled = self.sample(last)
        match self.turns.order:
            case "critic_first":  # Goodfellow et al. 2014, and the default
                losses = self.train_critic(sampled, step) | self.train_generator(sampled, step)
            case "generator_first":
                losses = self.train_generator(sampled, step) | self.train_critic(sampled, step)
            case "simultaneous":
                losses = self.backward_critic(sampled, step) | self.backward_generator(sampled, step)
                for player in filter(None, (self.generator, self.critic)):
                    player.update()
        for penalty in self.penalties:
            penalty.update_state()
        return losses

    def train_critic(self, sampled: SampledBatch, step: int) -> Losses:
        """Take one turn of the critic; return {} in games without one."""
        losses = self.backward_critic(sampled, step)
        if self.critic:
            self.critic.update()
        return losses

    def train_generator(self, sampled: SampledBatch, step: int) -> Losses:
        """Take one turn of the generator."""
        losses = self.backward_generator(sampled, step)
        self.generator.update()
        return losses

    def sample(self, number: int) -> SampledBatch:
        """Run the generators on batch `number`."""
        self.batches.rng.reseed_layers("draw", number)
        with self.losses.autocast():
            return self.game.sample(self.batches.batch(number), self.batches.rng, number)

    def backward_critic(self, sampled: SampledBatch, step: int) -> Losses:
        """Compute the critic's losses and their gradients, and return the losses."""
        if self.critic is None:
            return {}
        self.batches.rng.reseed_layers("critic", sampled.number)
        duels = self.game.critic_duels(sampled, self.batches.rng)
        return self.critic.backward(self.losses.compute("critic", duels, sampled.number, step))

    def backward_generator(self, sampled: SampledBatch, step: int) -> Losses:
        """Compute the generator's losses and their gradients, and return the losses.

        The critic's weights need no gradients meanwhile: that saves their computation.
        """
        self.batches.rng.reseed_layers("generator", sampled.number)
        if self.critic:
            self.critic.network.requires_grad_(False)
        try:
            with self._lookahead(sampled):
                with self.losses.autocast():
                    duels, extra = self.game.generator_duels(sampled, self.batches.rng)
                losses = self.losses.compute("generator", duels, sampled.number, step)
                losses |= {f"generator/{name}": loss for name, loss in extra.items()}
                return self.generator.backward(losses)
        finally:
            if self.critic:
                self.critic.network.requires_grad_(True)

    def _lookahead(self, sampled: SampledBatch) -> AbstractContextManager[None]:
        """Replace the critic by its prediction for a later turn, if the recipe asks for one."""
        turns = self.turns
        if turns.prediction and self.critic:
            return predicted_critic(self.critic.network, self.critic.previous)
        if turns.unrolled and self.objective:
            return unrolled_critic(
                self.game, self.objective, sampled, self.batches.rng, turns.unrolled, turns.unrolled_rate
            )
        return nullcontext()
