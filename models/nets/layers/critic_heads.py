"""Heads of critics: a batch term, the projection on the label, and class logits."""

from torch import Tensor, nn

from models.duel import Verdict
from models.nets.layers.minibatch import build_batch_layer
from models.nets.layers.spectral import add_spectral_norm, add_spectral_norms
from models.spec.nets import BatchLayer


class HeadedCritic(nn.Module):
    """Base class of critics with optional heads: a batch term, the projection on the label, and class logits."""

    batch_score: nn.Module | None
    project: nn.Embedding | None
    name: nn.Linear | None

    def add_heads(self, features: int, minibatch: BatchLayer, projected: int, named: int) -> None:
        """Add the heads. `projected` and `named` are numbers of classes, 0 for no projection or no class logits."""
        self.batch_score = build_batch_layer(minibatch, features)
        self.project = nn.Embedding(projected, features) if projected else None
        self.name = nn.Linear(features, named) if named else None

    def finish(self, norm: str) -> None:
        """Initialise the projection and add spectral norms. Call it when all other layers are initialised."""
        if self.project is not None:
            nn.init.normal_(self.project.weight, 0.0, 0.02)
        if norm == "spectral":
            add_spectral_norms(self)
            if self.project is not None:
                add_spectral_norm(self.project)

    def verdict(self, score: Tensor, features: Tensor, label: Tensor | None) -> Verdict:
        """Add the heads' outputs to `score` [n] of `features` [n, f] (projection: Miyato and Koyama 2018)."""
        if self.batch_score is not None:
            score = score + self.batch_score(features)
        if self.project is not None:
            score = score + (self.project(label) * features).sum(1)
        return Verdict(score, self.name(features) if self.name is not None else None, features)
