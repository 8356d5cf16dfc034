"""The trainer: the players of a job, the step they are at, and everything that a checkpoint keeps of them."""

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
from models.nets.layers.common import set_progress
from models.nets.layers.sync_layers import sync_across_ranks
from models.nets.rotation import RotationNet
from models.nets.vgg import Vgg19
from models.penalties import Penalty
from models.spec.recipe import Recipe
from worker.evaluation.features import learn_turns, read_vgg19
from worker.training.cuda_graphs import Captured, Graph, tensors_of, why_not
from worker.training.losses import DuelLosses
from worker.training.players import Average, Player, in_order, layout, optimizer, rate_factor
from worker.training.step import TrainingStep

log = logging.getLogger(__name__)

NETWORKS = {"generator", "critic", "average"}


class NonFinite(JobFailure):
    """A loss stopped being finite at `step`; `indices` are the rows of that step's last batch."""

    code = "non_finite_loss"

    def __init__(self, step: int, indices: Sequence[int]) -> None:
        rows = ", ".join(map(str, indices[:8])) + (", ..." if len(indices) > 8 else "")
        super().__init__(
            f"A loss stopped being finite at step {step} (examples {rows}). "
            "Lower the learning rates, or look at those examples; the last checkpoint is kept."
        )
        self.step = step
        self.indices = tuple(indices)


class Trainer:
    """The players, their game, and the step they are at. Everything with state is in `state_dict`."""

    def __init__(
        self,
        recipe: Recipe,
        batches: Batches,
        device: torch.device,
        precision: str,
        graph: Callable[[], Graph] | None = None,
    ) -> None:
        """`graph` makes what steps are captured in, where the recipe allows it; see worker.training.cuda_graphs."""
        self.recipe, self.batches, self.device = recipe, batches, device
        self.rng = batches.rng
        cast = build(recipe)
        self.game = cast.game.to(device)
        self.objective = None if cast.objective is None else cast.objective.to(device)
        self.penalties = nn.ModuleList(cast.penalties).to(device)
        self.generator = self._player(cast.generator, recipe.generator_optimizer)
        self.critic: Player | None = None
        if cast.critic is not None:
            self.critic = self._player(cast.critic, recipe.critic_optimizer, recipe.critic_clip)
            self.critic.remembers = recipe.turns.prediction
        self.average = Average(self.generator.network, recipe.ema.decay)
        self.step = 0
        self.slowed = 1.0
        """what the learning rates are multiplied by beside their schedule"""
        self.pretended: float | None = None
        """a progress to train at instead of the step's own, where pace is measured"""
        self._bad_step = torch.tensor(-1, device=device)
        self._critic_accuracy = torch.zeros(2, device=device)
        self._training_step = self._build_step(half=precision == "bf16")
        self._captured = self._capture(graph)

    def prepare(self, weights: Path | None = None) -> Iterator[None]:
        """What a job does once, before its first step: the network that compares contents learns, or is read.

        A resumed job has it in its game's state. `weights` is the folder with those of vgg19. Yields now and then.
        Raises DatasetMissing.
        """
        game = self.recipe.game
        match getattr(self.game, "features", None):
            case RotationNet() as network if game.kind == "paired":
                yield from learn_turns(network, self.batches.answers, game.features_steps)
            case Vgg19() as network:
                read_vgg19(network, weights)
            case _:
                return

    def advance(self) -> Losses:
        """One step: the critic's moves and the generator's. The losses stay on the device."""
        factor = self.slowed * rate_factor(self.recipe.schedule, self.step, self.recipe.budget.steps)
        self._proceed()
        for player in self._movers():
            player.slow(factor)
        if self._captured is None:
            losses = self._training_step.run(self.step)
        else:
            due = tuple(self.step % penalty.every == 0 for penalty in self._penalties())
            losses = self._captured.run(due, self.step * self.recipe.turns.critic_steps)
        self.average.follow(self.step)
        self._watch(losses)
        self.step += 1
        set_progress(self.average.network, self._progress)
        return losses

    def gauges(self) -> Losses:
        """What of the state is worth watching, by name."""
        own = self.objective.gauges() if self.objective else {}
        return {f"gauge/{name}": value for name, value in (own | self.game.gauges()).items()}

    @property
    def round(self) -> int:
        """Steps in which the laziest penalty is due once."""
        return max((penalty.every for penalty in self._penalties()), default=1)

    def critic_accuracy(self) -> float:
        """The share of pairs that the critic ordered rightly since this was asked last, 1/2 when it guesses.

        Of all its moves, real beside fake of the same duel; a critic that scores the other way round is as good.
        NaN when there was none. Synchronises with the device.
        """
        share, turns = self._critic_accuracy.tolist()
        self._critic_accuracy.zero_()
        return max(share / turns, 1 - share / turns) if turns else math.nan

    def check(self) -> None:
        """Raise NonFinite if any step so far was not finite. Synchronises with the device."""
        if (step := int(self._bad_step)) >= 0:
            raise self.not_finite(step + 1)

    def not_finite(self, step: int) -> NonFinite:
        """The error that tells of a step, with its examples."""
        return NonFinite(step, self.batches.indices(step * self.recipe.turns.critic_steps - 1).tolist())

    def state_dict(self) -> dict[str, Any]:
        own: dict[str, Any] = {"step": self.step, "critic_accuracy": self._critic_accuracy, "bad_step": self._bad_step}
        if self.recipe.plugins:
            own["plugins"] = {used.name: used.version for used in self.recipe.plugins}
        return own | {name: part.state_dict() for name, part in self._parts().items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        if self._captured:
            self._captured.forget()
        self.step = state["step"]
        # Older checkpoints call it told_apart; the first had neither.
        self._critic_accuracy.copy_(state.get("critic_accuracy", state.get("told_apart", torch.zeros(2))))
        self._bad_step.fill_(int(state.get("bad_step", -1)))
        for name, part in self._parts().items():
            part.load_state_dict(state[name])
            if isinstance(part, torch.optim.Optimizer):
                in_order(part)
        self._proceed()

    def roll_back(self, state: dict[str, Any]) -> None:
        """Take over everything of an earlier state but its step: batches and noise to come are new."""
        self.load_state_dict(state | {"step": self.step})

    def begin_with(self, state: dict[str, Any]) -> None:
        """Take over the weights of another job's state; optimisers, game and step are as new."""
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

    def _proceed(self) -> None:
        """Tell whatever follows the budget how far it is."""
        progress = self._progress
        for network in (self.generator.network, self.average.network, self.game):
            set_progress(network, progress)
        if self.critic:
            set_progress(self.critic.network, progress)

    @property
    def _progress(self) -> float:
        return self.step / self.recipe.budget.steps if self.pretended is None else self.pretended

    def _build_step(self, half: bool) -> TrainingStep:
        recipe, penalties = self.recipe, self._penalties()
        losses = DuelLosses(
            recipe, self.game, self.objective, penalties, self.rng, self.device, half, self._critic_accuracy
        )
        return TrainingStep(
            recipe.turns, self.batches, self.game, self.objective, penalties, losses, self.generator, self.critic
        )

    def _movers(self) -> list[Player]:
        return [self.generator, self.critic] if self.critic else [self.generator]

    def _capture(self, graph: Callable[[], Graph] | None) -> Captured | None:
        on_gpu = self.device.type == "cuda"
        if graph is None and not on_gpu:
            return None
        if reason := why_not(self.recipe, self._movers()):
            if graph is not None:
                log.info("Steps go on one by one, not as CUDA graphs: %s.", reason)
            return None
        dtype = torch.float32 if on_gpu else torch.float64
        for player in self._movers():  # on a GPU with graphs and without, since fused Adam reads it in fp32 there
            player.dial = torch.tensor(player.rate, device=self.device, dtype=dtype)
        return (
            None
            if graph is None
            else Captured(lambda: self._training_step.run(self.step), self._state, self.rng, graph)
        )

    def _state(self) -> list[Tensor]:
        """Every tensor that a step changes."""
        return list(tensors_of(self.state_dict()))

    def _penalties(self) -> list[Penalty]:
        return [penalty for penalty in self.penalties if isinstance(penalty, Penalty)]

    def _player(self, network: nn.Module, spec: Any, clip: float | None = None) -> Player:
        network.to(self.device, memory_format=layout(network)).train()  # type: ignore[call-overload]
        sync_across_ranks(network)
        return Player(network, optimizer(spec, network.parameters()), spec.rate, clip)

    def _watch(self, losses: Losses) -> None:
        """Remember, on the device, the first step whose losses were not finite."""
        total = torch.stack([loss.float() for loss in losses.values()]).sum()
        fresh = ~total.isfinite() & (self._bad_step < 0)
        self._bad_step = torch.where(fresh, torch.full_like(self._bad_step, self.step), self._bad_step)
