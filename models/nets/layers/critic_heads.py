"""Heads of critics: a score, class logits, features."""

from torch import Tensor, nn

from models.duel import Verdict
from models.nets.layers.minibatch import batch_score
from models.nets.layers.spectral import hold, spectral
from models.spec.nets import Mixing


class HeadedCritic(nn.Module):
    """A critic whose verdict can add a term of the whole batch, the projection on the label, and class logits."""

    batch_score: nn.Module | None
    project: nn.Embedding | None
    name: nn.Linear | None

    def add_heads(self, features: int, minibatch: Mixing, projected: int, named: int) -> None:
        """`projected` and `named`: numbers of classes, 0 for no such head."""
        self.batch_score = batch_score(minibatch, features)
        self.project = nn.Embedding(projected, features) if projected else None
        self.name = nn.Linear(features, named) if named else None

    def finish(self, norm: str) -> None:
        """Once all else is initialised: the projection begins small, and the spectral norm holds every layer."""
        if self.project is not None:
            nn.init.normal_(self.project.weight, 0.0, 0.02)
        if norm == "spectral":
            hold(self)
            if self.project is not None:
                spectral(self.project)

    def verdict(self, score: Tensor, features: Tensor, label: Tensor | None) -> Verdict:
        """`score` [n] of `features` [n, f], with what the heads say (projection: Miyato and Koyama 2018)."""
        if self.batch_score is not None:
            score = score + self.batch_score(features)
        if self.project is not None:
            score = score + (self.project(label) * features).sum(1)
        return Verdict(score, self.name(features) if self.name is not None else None, features)
