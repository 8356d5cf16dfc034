"""The judge: a small classifier trained on the dataset, whose features compare pictures.

It learns to predict the labels of labelled pictures, and the rotation of unlabelled ones by quarter turns (Gidaris et
al. 2018). It is trained on one CPU thread from a fixed seed, whatever the job is: equal data give an equal judge, so a
stored judge can be used again.
"""

import hashlib
import logging
import pickle
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from data.readers.base import Data
from models import durable
from models.nets.rotation import QUARTER_TURNS
from models.rng import Rng
from worker.evaluation.chunked import CHUNK_EXAMPLES, chunks, evenly_spaced
from worker.evaluation.features import all_rotations

log = logging.getLogger(__name__)

MAX_SIDE = 32
"""largest side of the judge's input, in pixels; larger pictures are downscaled by averaging"""
FEATURES = 128
"""number of features"""
QUICK_STEPS, FULL_STEPS = 300, 1_500
"""training steps for live figures, and the most for the full evaluation"""
MAX_EXAMPLES = 20_000
"""most training examples of a domain, evenly spaced over the dataset"""
BATCH_SIZE, RATE = 128, 4e-3
VERSION = 1
"""part of the names of stored judges; increase it when the network or its training changes"""


class Judge(nn.Module):
    """Pictures [n, c, s, s] in [-1, 1] -> features [n, 128], and logits [n, classes], or [n, 4] of four rotations."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.classes = classes
        """0 if it predicts rotations"""
        self.mark = ""
        """first 12 hex digits of the sha256 of its weights"""
        self.resize = f"area, to {MAX_SIDE} px at most"
        self.body = nn.Sequential(
            *_block(channels, 24, 5, 2), *_block(24, 48, 3, 2), *_block(48, 64, 3, 1),
            nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(64 * 16, FEATURES), nn.ReLU(),
        )  # fmt: skip
        self.head = nn.Linear(FEATURES, classes or QUARTER_TURNS)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.body(x))
        return logits

    @torch.no_grad()
    def embed(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Compute features [n, 128] and logits [n, classes] in chunks; return them on the CPU."""
        device = next(self.parameters()).device
        parts = [self.body(shrink(part.to(device).float())) for part in torch.split(x, CHUNK_EXAMPLES)]
        features = torch.cat(parts)
        return features.cpu(), self.head(features).cpu()


def _block(channels: int, out: int, kernel: int, stride: int) -> tuple[nn.Module, ...]:
    return nn.Conv2d(channels, out, kernel, stride, padding=kernel // 2, bias=False), nn.BatchNorm2d(out), nn.ReLU()


def shrink(x: Tensor) -> Tensor:
    """Downscale pictures [n, c, s, s] to the judge's largest side by averaging."""
    return F.interpolate(x, size=(MAX_SIDE, MAX_SIDE), mode="area") if x.shape[-1] > MAX_SIDE else x


def trained_judge(
    data: Data, cache: Path | None, steps: int = QUICK_STEPS, heartbeat: Callable[[], None] = lambda: None
) -> Judge:
    """Return the judge of these pictures from the folder `cache`, or train one and store it there.

    `heartbeat` is called after every chunk that is read and every training step.
    """
    pictures, labels = _training_set(data, heartbeat)
    judge = new_judge(pictures.shape[1], 0 if labels is None else int(labels.max()) + 1)
    path = None if cache is None else cache / f"judge-{_content_hash(pictures, labels, steps)}.pt"
    if path is None or not _load(judge, path):
        with on_one_thread():
            for _ in _train(judge, pictures, labels, steps):
                heartbeat()
        if path is not None:
            _store(judge, path)
    judge.eval().requires_grad_(False)
    judge.mark = _fingerprint(judge)
    return judge


def _training_set(data: Data, heartbeat: Callable[[], None]) -> tuple[Tensor, Tensor | None]:
    """Return pictures at the judge's size, uint8 [n, c, s, s], at most MAX_EXAMPLES a domain, and labels if any."""
    if data.images is not None:
        labels = None if data.labels is None else evenly_spaced(data.labels, MAX_EXAMPLES)
        return _downscaled_bytes(data.images, heartbeat), labels
    assert data.a is not None
    assert data.b is not None
    return torch.cat([_downscaled_bytes(images, heartbeat) for images in (data.a, data.b)]), None


def _downscaled_bytes(images: Tensor, heartbeat: Callable[[], None]) -> Tensor:
    """Downscale pictures to uint8 chunk by chunk, since they may be larger than the memory."""
    per_byte, parts = 257 if images.dtype == torch.uint16 else 1, []
    for part in chunks(images, MAX_EXAMPLES):
        parts.append(shrink(part.float() / per_byte).round().to(torch.uint8))
        heartbeat()
    return torch.cat(parts)


def _content_hash(pictures: Tensor, labels: Tensor | None, steps: int) -> str:
    digest = hashlib.sha256(f"{VERSION}/{torch.__version__}/{steps}/{tuple(pictures.shape)}/".encode())
    for tensor in (pictures, labels):
        if tensor is not None:
            digest.update(tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def _train(judge: Judge, pictures: Tensor, labels: Tensor | None, steps: int) -> Iterator[None]:
    """Train the judge on these pictures, and yield after each step."""
    rng = Rng(0)

    def batch(step: int) -> tuple[Tensor, Tensor]:
        stream = rng.stream("judge", step)
        rows = torch.randint(
            len(pictures), (BATCH_SIZE if labels is not None else BATCH_SIZE // QUARTER_TURNS,), generator=stream
        )
        chosen = pictures[rows].float() / 127.5 - 1
        return all_rotations(chosen) if labels is None else (_random_shift(chosen, stream), labels[rows])

    return train_classifier(judge, batch, steps)


def train_classifier(judge: Judge, batch: Callable[[int], tuple[Tensor, Tensor]], steps: int) -> Iterator[None]:
    """Train a judge, and yield after each step; `batch` returns the pictures [n, c, s, s] and classes [n] of a step."""
    judge.train()
    optimizer = torch.optim.AdamW(judge.parameters(), lr=RATE, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=RATE, total_steps=steps)
    for step in range(steps):
        pictures, targets = batch(step)
        loss = F.cross_entropy(judge(pictures), targets)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        yield


def _random_shift(x: Tensor, stream: torch.Generator) -> Tensor:
    """Shift pictures by up to a fourteenth of the side, so that the judge ignores small differences in position."""
    reach = max(1, x.shape[-1] // 14)
    down, right = (int(shift) for shift in torch.randint(-reach, reach + 1, (2,), generator=stream))
    return x.roll((down, right), dims=(2, 3))


def new_judge(channels: int, classes: int, seed: int = 0) -> Judge:
    """Return an untrained judge, whose weights follow from the seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Judge(channels, classes)


@contextmanager
def on_one_thread() -> Iterator[None]:
    """Compute on one thread inside the block: several threads would sum in another order and round differently."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _load(judge: Judge, path: Path) -> bool:
    """Load the stored weights; return whether they exist and are intact."""
    if not path.is_file():
        return False
    try:
        judge.load_state_dict(torch.load(path, "cpu", weights_only=True))
    except (OSError, EOFError, RuntimeError, KeyError, pickle.UnpicklingError) as error:
        log.warning("The stored judge %s cannot be read and is trained again: %s", path.name, error)
        return False
    return True


def _store(judge: Judge, path: Path) -> None:
    """Store the judge atomically, since several jobs may train the same judge at once."""
    with durable.atomic_write(path) as incoming, incoming.open("wb") as file:
        torch.save(judge.state_dict(), file)


def _fingerprint(judge: Judge) -> str:
    digest = hashlib.sha256()
    for name, tensor in sorted(judge.state_dict().items()):
        digest.update(name.encode() + tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()[:12]
