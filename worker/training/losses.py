"""The losses of one turn: the objective of each duel and the penalties that are due."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from models import distributed
from models.duel import Duel, Losses, Scores, Turn, Verdict
from models.games.game import Game
from models.objectives import Objective
from models.penalties import Penalty
from models.rng import Rng
from models.spec.base import FromPlugin
from models.spec.objectives import ObjectiveSpec
from models.spec.recipe import Recipe


@dataclass(frozen=True, eq=False)
class DuelLosses:
    """Score duels. `half`: networks compute in bf16. Objectives and penalties use fp32 unless they say otherwise."""

    recipe: Recipe
    game: Game
    objective: Objective | None
    penalties: Sequence[Penalty]
    rng: Rng
    device: torch.device
    half: bool
    critic_accuracy: Tensor
    """[2]: the sum of the shares of pairs that the critic ordered rightly, and the number of its turns"""

    def compute(self, turn: Turn, duels: list[Duel], number: int, step: int) -> Losses:
        """Score the duels and return the turn's losses by name. `number` is the draw's; penalties are due by `step`."""
        losses: Losses = {}
        if self.objective is None or self.recipe.objective is None:
            return losses
        due = [penalty for penalty in self.penalties if penalty.due(turn, step)]
        for place, duel in enumerate(duels):
            suffix = f"_{duel.tag}" if duel.tag else ""
            duel, scores = self._score(turn, duel, due)
            weight = duel.weight if turn == "generator" else 1.0
            name = f"{turn}/{_name(self.recipe.objective)}{suffix}"
            losses[name] = weight * getattr(self.objective, turn)(scores)
            for penalty in due:
                if penalty.per_duel or place == 0:
                    name = penalty.name + (suffix if penalty.per_duel else "")
                    rng = self.rng.stream(f"penalty/{name}", number)
                    with self.autocast(off=penalty.in_fp32 or self._unrolls):
                        losses[f"{turn}/{name}"] = penalty(turn, duel, scores, rng)
            if turn == "critic":
                self._note_accuracy(scores)
                self.objective.update_state(scores)
                self.game.update_state(scores)
        return losses

    def autocast(self, off: bool = False) -> torch.autocast:
        """Compute networks in bf16 where the job does."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.half and not off)

    @property
    def _unrolls(self) -> bool:
        return self.recipe.turns.unrolled > 0

    def _score(self, turn: Turn, duel: Duel, due: list[Penalty]) -> tuple[Duel, Scores]:
        """Both verdicts, in fp32. Where a penalty takes a gradient of theirs, the critic itself runs in fp32."""
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

    def _note_accuracy(self, scores: Scores) -> None:
        """Of two critics in one (D2GAN) the first counts: the second scores the other way round."""
        both = self.recipe.objective is not None and self.recipe.objective.kind == "d2gan"
        real, fake = (score[..., :1] if both else score for score in (scores.real_score, scores.fake.score))
        with torch.no_grad():
            right = (real > fake).float().mean() + (real == fake).float().mean() / 2
            self.critic_accuracy.add_(torch.stack([distributed.mean_over_ranks(right), torch.ones_like(right)]))


def _in_fp32(verdict: Verdict) -> Verdict:
    classes: Tensor | None = None if verdict.classes is None else verdict.classes.float()
    features: Tensor | None = None if verdict.features is None else verdict.features.float()
    return Verdict(verdict.score.float(), classes, features)


def _name(objective: ObjectiveSpec) -> str:
    return objective.name if isinstance(objective, FromPlugin) else objective.kind
