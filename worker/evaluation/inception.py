"""Inception from a local file: the feature network of most published Fréchet distances."""

import hashlib
from pathlib import Path

import torch
from torch import Tensor

from data.batches import as_levels
from worker.evaluation.features import WeightsMissing

FILE = "inception.pt"
CHUNK_PICTURES = 64
"""pictures embedded at once"""


class Inception:
    """A TorchScript network that embeds uint8 pictures [n, 3, h, w].

    With `return_features=True` it returns features [n, d], without it probabilities [n, classes]. A network that has no
    such argument returns features alone and has no classes.
    """

    def __init__(self, script: torch.jit.ScriptModule, mark: str) -> None:
        """`mark` is the first 12 hex digits of the file's sha256."""
        self._script, self.mark = script, mark
        self.resize = "by the network itself"
        arguments = script.forward.schema.arguments  # type: ignore[attr-defined]
        self._has_classes = any(argument.name == "return_features" for argument in arguments)
        logits = self.embed(torch.zeros(2, 3, 32, 32))[1]
        self.classes = 0 if logits is None else logits.shape[1]

    @torch.no_grad()
    def embed(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return features [n, d] of pictures [n, c, h, w] in [-1, 1], and log probabilities [n, classes] or None."""
        parts = [self._run(_rgb_bytes(part)) for part in torch.split(x, CHUNK_PICTURES)]
        features = torch.cat([part for part, _ in parts]).float()
        if not self._has_classes:
            return features, None
        return features, torch.cat([logits for _, logits in parts if logits is not None]).float()

    def _run(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        if self._has_classes:
            return self._script(x, return_features=True).flatten(1), self._script(x).clamp(min=1e-20).log()
        return self._script(x).flatten(1), None


def read_inception(root: Path | None) -> Inception:
    """Load inception.pt from the folder `root` and try it on two pictures. Raises WeightsMissing."""
    path = None if root is None else root / FILE
    if path is None or not path.is_file():
        where = f"the folder {root}" if root is not None else "a folder and set FORGER_DATA to it"
        raise WeightsMissing(
            "The evaluation compares features of Inception, and its network is not here. "
            f"Put a TorchScript file of it, as {FILE}, into {where}; or request features own."
        )
    try:
        return Inception(torch.jit.load(path, "cpu").eval(), _fingerprint(path))  # type: ignore[no-untyped-call]
    except Exception as error:  # damaged files and other networks raise any error
        reason = (str(error).strip() or type(error).__name__).split("\n")[0].rstrip(".:")
        raise WeightsMissing(
            f"{FILE} is not a TorchScript network from uint8 pictures [n, 3, h, w] to features ({reason}). "
            "Replace it, or request features own."
        ) from error


def _rgb_bytes(x: Tensor) -> Tensor:
    """Convert pictures to uint8 with three channels: grey is repeated, alpha is dropped."""
    colour = x.expand(-1, 3, -1, -1) if x.shape[1] == 1 else x[:, :3]
    return as_levels(colour)


def _fingerprint(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:12]
