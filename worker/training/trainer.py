"""The trainer of a job: its players, their current step, and everything that a checkpoint stores of them."""

import logging
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from data.batches import Batches
from models.build import build
from models.duel import Losses
from models.errors import JobFailure
from models.nets.layers.common import set_training_progress
from models.nets.layers.sync_layers import sync_across_ranks
from models.nets.rotation import RotationNet
from models.nets.vgg import Vgg19
from models.penalties import Penalty
from models.spec.recipe import Recipe
from worker.evaluation.features import read_vgg19, train_rotation_net
from worker.training.cuda_graphs import CapturedSteps, Graph, capture_obstacle, tensors_of
from worker.training.losses import DuelLosses
from worker.training.players import Average, Player, build_optimizer, match_memory_order, memory_format_of, rate_factor
from worker.training.step import TrainingStep

log = logging.getLogger(__name__)

NETWORKS = {"generator", "critic", "average"}
"""parts of a state dict whose weights another job can start from"""


class NonFinite(JobFailure):
    """A loss was not finite at `step`; `indices` are the dataset rows of that step's last batch."""

    code = "non_finite_loss"

    def __init__(self, step: int, indices: Sequence[int]) -> None:
        rows = ", ".join(map(str, indices[:8])) + (", ..." if len(indices) > 8 else "")
        super().__init__(
            f"A loss was not finite at step {step} (examples {rows}). "
            "Lower the learning rates, or look at those examples; the last checkpoint is kept."
        )
        self.step = step
        self.indices = tuple(indices)


class Trainer:
    """The players, their game, and their current step. `state_dict` holds everything that has state."""

    def __init__(
        self,
        recipe: Recipe,
        batches: Batches,
        device: torch.device,
        precision: str,
        graph: Callable[[], Graph] | None = None,
    ) -> None:
        """Build the players of `recipe`. `graph` creates the CUDA graphs of steps (worker.training.cuda_graphs)."""
        self.recipe, self.batches, self.device = recipe, batches, device
        self.rng = batches.rng
        components = build(recipe)
        self.game = components.game.to(device)
        self.objective = None if components.objective is None else components.objective.to(device)
        self.penalties = nn.ModuleList(components.penalties).to(device)
        self.generator = self._player(components.generator, recipe.generator_optimizer)
        self.critic: Player | None = None
        if components.critic is not None:
            self.critic = self._player(components.critic, recipe.critic_optimizer, recipe.critic_clip)
            self.critic.keeps_previous = recipe.turns.prediction
        self.average = Average(self.generator.network, recipe.ema.decay)
        self.step = 0
        self.rate_multiplier = 1.0
        """a factor of the learning rates, besides their schedule"""
        self.assumed_progress: float | None = None
        """share of the budget in [0, 1] that replaces that of `step` while throughput is measured"""
        self._bad_step = torch.tensor(-1, device=device)
        self._critic_accuracy = torch.zeros(2, device=device)
        self._training_step = self._build_step(bf16=precision == "bf16")
        self._captured_steps = self._capture(graph)

    def prepare(self, weights: Path | None = None) -> Iterator[None]:
        """Train or read the network that compares picture contents, once, before a job's first step.

        A resumed job finds it in its game's state. `weights` is the folder that holds the weights of vgg19. Yields
        after each training step of the network. Raises DatasetMissing.
        """
        game = self.recipe.game
        match getattr(self.game, "features", None):
            case RotationNet() as network if game.kind == "paired":
                yield from train_rotation_net(network, self.batches.targets, game.features_steps)
            case Vgg19() as network:
                read_vgg19(network, weights)
            case _:
                return

    def advance(self) -> Losses:
        """Run one step and return its losses by name, on the device."""
        factor = self.rate_multiplier * rate_factor(self.recipe.schedule, self.step, self.recipe.budget.steps)
        self._announce_progress()
        for player in self._all_players():
            player.scale_rate(factor)
        if self._captured_steps is None:
            losses = self._training_step.run(self.step)
        else:
            due = tuple(self.step % penalty.every == 0 for penalty in self._penalties())
            losses = self._captured_steps.run(due, self.step * self.recipe.turns.critic_steps)
        self.average.update(self.step)
        self._note_non_finite(losses)
        self.step += 1
        set_training_progress(self.average.network, self._progress)
        return losses

    def gauges(self) -> Losses:
        """Return the gauges of the objective and the game, by name, on the device."""
        gauges = self.objective.gauges() if self.objective else {}
        return {f"gauge/{name}": value for name, value in (gauges | self.game.gauges()).items()}

    @property
    def losses(self) -> DuelLosses:
        """The losses of the recipe's duels."""
        return self._training_step.losses

    @property
    def penalty_period(self) -> int:
        """Steps in which each penalty is due at least once."""
        return max((penalty.every for penalty in self._penalties()), default=1)

    def critic_accuracy(self) -> float:
        """Return the share of pairs that the critic ordered rightly since the last call, in [1/2, 1], and reset it.

        A pair is the real and the fake example of one duel, and 1/2 means that the critic guesses. A critic that
        orders all pairs wrongly is as accurate. NaN if the critic took no turn. Synchronises with the device.
        """
        share, turns = self._critic_accuracy.tolist()
        self._critic_accuracy.zero_()
        return max(share / turns, 1 - share / turns) if turns else math.nan

    def check_finite(self) -> None:
        """Raise NonFinite if a loss of any step so far was not finite. Synchronises with the device."""
        if (step := int(self._bad_step)) >= 0:
            raise self.non_finite_error(step + 1)

    def non_finite_error(self, step: int) -> NonFinite:
        """Return the error for `step`, with the examples of its last batch."""
        return NonFinite(step, self.batches.indices(step * self.recipe.turns.critic_steps - 1).tolist())

    def state_dict(self) -> dict[str, Any]:
        state: dict[str, Any] = {
            "step": self.step,
            "critic_accuracy": self._critic_accuracy,
            "bad_step": self._bad_step,
        }
        if self.recipe.plugins:
            state["plugins"] = {used.name: used.version for used in self.recipe.plugins}
        return state | {name: part.state_dict() for name, part in self._parts().items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        if self._captured_steps:
            self._captured_steps.reset()
        self.step = state["step"]
        # Older checkpoints call it told_apart; the oldest have neither.
        self._critic_accuracy.copy_(state.get("critic_accuracy", state.get("told_apart", torch.zeros(2))))
        self._bad_step.fill_(int(state.get("bad_step", -1)))
        for name, part in self._parts().items():
            part.load_state_dict(state[name])
            if isinstance(part, torch.optim.Optimizer):
                match_memory_order(part)
        self._announce_progress()

    def roll_back(self, state: dict[str, Any]) -> None:
        """Load an earlier state but keep the current step, so that later batches and noise are new ones."""
        self.load_state_dict(state | {"step": self.step})

    def start_from_weights(self, state: dict[str, Any]) -> None:
        """Load the weights of another job's state; optimisers, game and step stay at their beginning."""
        parts = self._parts()
        for name in NETWORKS & parts.keys():
            parts[name].load_state_dict(state[name])
        for penalty in self._penalties():
            penalty.reset()

    def _parts(self) -> dict[str, Any]:
        parts = {
            "generator": self.generator.network,
            "generator_optimizer": self.generator.optimizer,
            "average": self.average.network,
            "game": self.game,
            "penalties": self.penalties,
        }
        if self.critic:
            parts |= {"critic": self.critic.network, "critic_optimizer": self.critic.optimizer}
        if self.objective:
            parts["objective"] = self.objective
        return parts

    def _announce_progress(self) -> None:
        """Pass the share of the budget done to every module that depends on it."""
        progress = self._progress
        for network in (self.generator.network, self.average.network, self.game):
            set_training_progress(network, progress)
        if self.critic:
            set_training_progress(self.critic.network, progress)

    @property
    def _progress(self) -> float:
        return self.step / self.recipe.budget.steps if self.assumed_progress is None else self.assumed_progress

    def _build_step(self, bf16: bool) -> TrainingStep:
        recipe, penalties = self.recipe, self._penalties()
        losses = DuelLosses(
            recipe, self.game, self.objective, penalties, self.rng, self.device, bf16, self._critic_accuracy
        )
        return TrainingStep(
            recipe.turns, self.batches, self.game, self.objective, penalties, losses, self.generator, self.critic
        )

    def _all_players(self) -> list[Player]:
        return [self.generator, self.critic] if self.critic else [self.generator]

    def _capture(self, graph: Callable[[], Graph] | None) -> CapturedSteps | None:
        """Prepare captured steps; None where steps run one by one."""
        on_gpu = self.device.type == "cuda"
        if graph is None and not on_gpu:
            return None
        if reason := capture_obstacle(self.recipe, self._all_players()):
            if graph is not None:
                log.info("Steps go on one by one, not as CUDA graphs: %s.", reason)
            return None
        dtype = torch.float32 if on_gpu else torch.float64
        # With and without graphs alike: on a GPU fused Adam reads the rate as fp32, which changes the bits.
        for player in self._all_players():
            player.rate_tensor = torch.tensor(player.rate, device=self.device, dtype=dtype)
        return (
            None
            if graph is None
            else CapturedSteps(lambda: self._training_step.run(self.step), self._state, self.rng, graph)
        )

    def _state(self) -> list[Tensor]:
        """Return every tensor that a step may change."""
        return list(tensors_of(self.state_dict()))

    def _penalties(self) -> list[Penalty]:
        return [penalty for penalty in self.penalties if isinstance(penalty, Penalty)]

    def _player(self, network: nn.Module, spec: Any, clip: float | None = None) -> Player:
        network.to(self.device, memory_format=memory_format_of(network)).train()  # type: ignore[call-overload]
        sync_across_ranks(network)
        return Player(network, build_optimizer(spec, network.parameters()), spec.rate, clip)

    def _note_non_finite(self, losses: Losses) -> None:
        """Keep, on the device, the number of the first step whose losses were not finite."""
        total = torch.stack([loss.float() for loss in losses.values()]).sum()
        is_first = ~total.isfinite() & (self._bad_step < 0)
        self._bad_step = torch.where(is_first, torch.full_like(self._bad_step, self.step), self._bad_step)
