"""Compute the losses of one turn: the objective of each duel and the penalties that are due.

The formulas are in models/objectives.py and models/penalties.py.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from models import distributed
from models.duel import Duel, Losses, PlayerName, Scores, Verdict
from models.games.game import Game
from models.objectives import Objective
from models.penalties import Penalty
from models.rng import Rng
from models.spec.base import FromPlugin
from models.spec.objectives import ObjectiveSpec
from models.spec.recipe import Recipe


@dataclass(frozen=True, eq=False)
class DuelLosses:
    """The losses of a recipe.

    `bf16`: networks compute in bf16. Objectives compute in fp32, and so do penalties unless `in_fp32` is false.
    """

    recipe: Recipe
    game: Game
    objective: Objective | None
    penalties: Sequence[Penalty]
    rng: Rng
    device: torch.device
    bf16: bool
    critic_accuracy: Tensor
    """[2]: the sum over the critic's turns of the share of pairs that it ordered rightly, and the number of turns"""

    def compute(self, turn: PlayerName, duels: list[Duel], number: int, step: int) -> Losses:
        """Score the duels and return the turn's losses by name.

        `number` is that of the sampled batch; `step` decides which penalties are due.
        """
        losses: Losses = {}
        if self.objective is None or self.recipe.objective is None:
            return losses
        due = [penalty for penalty in self.penalties if penalty.due(turn, step)]
        for position, duel in enumerate(duels):
            suffix = f"_{duel.domain}" if duel.domain else ""
            duel, scores = self._score(turn, duel, due)
            weight = duel.weight if turn == "generator" else 1.0
            name = f"{turn}/{_objective_name(self.recipe.objective)}{suffix}"
            losses[name] = weight * getattr(self.objective, f"{turn}_loss")(scores)
            for penalty in due:
                if penalty.per_duel or position == 0:
                    name = penalty.name + (suffix if penalty.per_duel else "")
                    rng = self.rng.stream(f"penalty/{name}", number)
                    with self.autocast(off=penalty.in_fp32 or self._unrolls):
                        losses[f"{turn}/{name}"] = penalty(turn, duel, scores, rng)
            if turn == "critic":
                self._count_accuracy(scores)
                self.objective.update_state(scores)
                self.game.update_state(scores)
        return losses

    def score(self, duel: Duel) -> tuple[Duel, Scores]:
        """Return the duel with both verdicts, in fp32. No state changes."""
        return self._score("critic", duel, [])

    def autocast(self, off: bool = False) -> torch.autocast:
        """Return a context in which networks compute in bf16, if the job uses it and `off` is false."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16 and not off)

    @property
    def _unrolls(self) -> bool:
        """Whether the generator's gradient runs through unrolled critic steps, which need fp32."""
        return self.recipe.turns.unrolled > 0

    def _score(self, turn: PlayerName, duel: Duel, due: list[Penalty]) -> tuple[Duel, Scores]:
        """Return the duel and both verdicts in fp32; the critic itself runs in fp32 if a penalty takes its gradient."""
        gradients = {penalty.gradient_at for penalty in due if penalty.gradient_at}
        with self.autocast(off=bool(gradients) or self._unrolls):
            duel = replace(duel, fake=duel.fake.float())
            if "real" in gradients:
                duel = replace(duel, real=duel.real.detach().requires_grad_())
            if "fake" in gradients:
                duel.fake.requires_grad_()
            fake = _in_fp32(duel.critic(duel.fake))
            needs_real = self.objective and self.objective.needs_real
            if turn == "generator" and not needs_real and not any(penalty.needs_real for penalty in due):
                return duel, Scores(None, fake)
            return duel, Scores(_in_fp32(duel.critic(duel.real)), fake)

    def _count_accuracy(self, scores: Scores) -> None:
        """Add the share of pairs that the critic ordered rightly; a tie counts half.

        D2GAN has two critics in one: only the first counts, because the second scores the other way round.
        """
        dual = self.recipe.objective is not None and self.recipe.objective.kind == "d2gan"
        real, fake = (score[..., :1] if dual else score for score in (scores.real_score, scores.fake.score))
        with torch.no_grad():
            share = (real > fake).float().mean() + (real == fake).float().mean() / 2
            self.critic_accuracy.add_(torch.stack([distributed.mean_over_ranks(share), torch.ones_like(share)]))


def _in_fp32(verdict: Verdict) -> Verdict:
    classes: Tensor | None = None if verdict.classes is None else verdict.classes.float()
    features: Tensor | None = None if verdict.features is None else verdict.features.float()
    return Verdict(verdict.score.float(), classes, features)


def _objective_name(objective: ObjectiveSpec) -> str:
    return objective.name if isinstance(objective, FromPlugin) else objective.kind
