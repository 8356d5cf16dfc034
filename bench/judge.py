"""The judge: a small classifier of digits, trained on real ones, that is never used in the training of a GAN.

Its class says whether a generated digit is the requested one; its last hidden layer gives the features in which
distributions are compared. The same network, trained only on generated digits, measures their use (GAN-train).
"""

import hashlib
import math
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

CACHE = Path(__file__).parent / "cache"
FEATURES = 128
BATCH = 128
VERSION = 1
"""raised when the judge's network or training changes, so that no older cached judge is used"""


class Judge(nn.Module):
    """28 px grey digits [n, 1, 28, 28] in [0, 1] to 10 scores."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *_block(1, 32, stride=1),
            *_block(32, 32, stride=2),
            *_block(32, 64, stride=1),
            *_block(64, 64, stride=2),
            nn.Flatten(),
            nn.Linear(64 * 7 * 7, FEATURES),
            nn.ReLU(),
        )
        self.head = nn.Sequential(nn.Dropout(0.3), nn.Linear(FEATURES, 10))

    def forward(self, pictures: Tensor) -> Tensor:
        scores: Tensor = self.head(self.body(pictures))
        return scores


def _block(channels: int, out: int, stride: int) -> tuple[nn.Module, ...]:
    return nn.Conv2d(channels, out, 3, stride, padding=1, bias=False), nn.BatchNorm2d(out), nn.ReLU()


def trained(pictures: Tensor, labels: Tensor, *, epochs: int, seed: int = 0) -> Judge:
    """Train a judge on uint8 pictures [n, 1, 28, 28] and their labels, shifted by up to two pixels."""
    torch.manual_seed(seed)
    judge = Judge().train()
    steps = math.ceil(len(pictures) / BATCH) * epochs
    optimizer = torch.optim.AdamW(judge.parameters(), lr=2e-3, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=4e-3, total_steps=steps)
    for _ in range(epochs):
        for rows in in_parts(torch.randperm(len(pictures)), BATCH):
            loss = F.cross_entropy(judge(_shifted(as_input(pictures[rows]))), labels[rows])
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
            schedule.step()
    return judge.eval()


def real_judge(pictures: Tensor, labels: Tensor, *, epochs: int) -> Judge:
    """Return the judge of the real training digits, kept in bench/cache between runs."""
    taught = f"{VERSION}/{torch.__version__}/{epochs}/".encode() + labels.numpy().tobytes()
    mark = hashlib.sha256(taught).hexdigest()[:12]
    path = CACHE / f"judge-{mark}.pt"
    if path.is_file():
        judge = Judge()
        judge.load_state_dict(torch.load(path, weights_only=True))
        return judge.eval()
    judge = trained(pictures, labels, epochs=epochs)
    path.parent.mkdir(exist_ok=True)
    torch.save(judge.state_dict(), path)
    return judge


def in_parts(rows: Tensor, size: int = 500) -> Iterator[Tensor]:
    """Yield rows in parts, so that memory stays bounded."""
    return (rows[start : start + size] for start in range(0, len(rows), size))


def as_input(pictures: Tensor) -> Tensor:
    return pictures.float() / 255


def _shifted(batch: Tensor) -> Tensor:
    down, right = (int(shift) for shift in torch.randint(-2, 3, (2,)))
    return batch.roll((down, right), dims=(2, 3))


@torch.no_grad()
def classes(judge: Judge, pictures: Tensor) -> Tensor:
    """Return the class [n] of each uint8 picture."""
    return torch.cat([judge(as_input(part)).argmax(dim=1) for part in in_parts(pictures)])


@torch.no_grad()
def features(judge: Judge, pictures: Tensor) -> Tensor:
    """Return the last hidden layer [n, FEATURES] for uint8 pictures."""
    return torch.cat([judge.body(as_input(part)) for part in in_parts(pictures)])


def accuracy(judge: Judge, pictures: Tensor, labels: Tensor) -> float:
    return (classes(judge, pictures) == labels).double().mean().item()
