"""The judge: a small classifier trained on the dataset, whose features compare pictures.

It learns the classes of labelled pictures; of unlabelled ones by how many quarters they were turned (Gidaris et al.
2018). It learns on one CPU thread from a fixed seed, whatever the job: equal data give an equal judge, which is kept.
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
from worker.evaluation.chunked import PART, shares, some
from worker.evaluation.features import all_turns

log = logging.getLogger(__name__)

SIDE = 32
"""pixels of a side that the judge sees at most; larger pictures are averaged down by area"""
FEATURES = 128
QUICK, FULL = 300, 1_500
"""steps of learning: for evaluations inside training, and for those that stand alone"""
EXAMPLES = 20_000
"""that it learns from at most, evenly spread over the dataset"""
BATCH, RATE = 128, 4e-3
VERSION = 1
"""counted up when network or learning change, so that no kept judge is taken for another"""


class Judge(nn.Module):
    """Pictures [n, c, s, s] in [-1, 1] -> features [n, 128] and logits [n, classes], or of four turns [n, 4]."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.classes = classes
        """0 where it learned turns"""
        self.mark = ""
        """first 12 hex digits of the sha256 of its weights"""
        self.resize = f"area, to {SIDE} px at most"
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
        """Features [n, 128] and logits [n, classes], on the CPU; x is looked at in parts."""
        device = next(self.parameters()).device
        parts = [self.body(_shrunk(part.to(device).float())) for part in torch.split(x, PART)]
        features = torch.cat(parts)
        return features.cpu(), self.head(features).cpu()


def _block(channels: int, out: int, kernel: int, stride: int) -> tuple[nn.Module, ...]:
    return nn.Conv2d(channels, out, kernel, stride, padding=kernel // 2, bias=False), nn.BatchNorm2d(out), nn.ReLU()


def _shrunk(x: Tensor) -> Tensor:
    return F.interpolate(x, size=(SIDE, SIDE), mode="area") if x.shape[-1] > SIDE else x


def learned(data: Data, cache: Path | None, steps: int = QUICK, beat: Callable[[], None] = lambda: None) -> Judge:
    """The judge of these pictures: the kept one, or one that learns now and is kept in the folder `cache`.

    `beat` is called after every part that is read and every step of learning.
    """
    pictures, labels = _material(data, beat)
    judge = _fresh(pictures.shape[1], 0 if labels is None else int(labels.max()) + 1)
    path = None if cache is None else cache / f"judge-{_content(pictures, labels, steps)}.pt"
    if path is None or not _read(judge, path):
        with _on_one_thread():
            for _ in _learn(judge, pictures, labels, steps):
                beat()
        if path is not None:
            _keep(judge, path)
    judge.eval().requires_grad_(False)
    judge.mark = _mark(judge)
    return judge


def _material(data: Data, beat: Callable[[], None]) -> tuple[Tensor, Tensor | None]:
    """uint8 pictures [n, c, s, s] as it sees them, at most EXAMPLES of each pile, and their labels if they have any."""
    if data.images is not None:
        labels = None if data.labels is None else some(data.labels, EXAMPLES)
        return _read_small(data.images, beat), labels
    assert data.a is not None
    assert data.b is not None
    return torch.cat([_read_small(pile, beat) for pile in (data.a, data.b)]), None


def _read_small(pile: Tensor, beat: Callable[[], None]) -> Tensor:
    """A part at a time: the pile may be larger than the memory."""
    parts = []
    for part in shares(pile, EXAMPLES):
        parts.append(_shrunk(part.float()).round().to(torch.uint8))
        beat()
    return torch.cat(parts)


def _content(pictures: Tensor, labels: Tensor | None, steps: int) -> str:
    said = hashlib.sha256(f"{VERSION}/{torch.__version__}/{steps}/{tuple(pictures.shape)}/".encode())
    for tensor in (pictures, labels):
        if tensor is not None:
            said.update(tensor.contiguous().numpy().tobytes())
    return said.hexdigest()[:16]


def _learn(judge: Judge, pictures: Tensor, labels: Tensor | None, steps: int) -> Iterator[None]:
    """Yields after each step."""
    rng = Rng(0)
    judge.train()
    optimizer = torch.optim.AdamW(judge.parameters(), lr=RATE, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=RATE, total_steps=steps)
    for step in range(steps):
        stream = rng.stream("judge", step)
        rows = torch.randint(
            len(pictures), (BATCH if labels is not None else BATCH // QUARTER_TURNS,), generator=stream
        )
        shown = pictures[rows].float() / 127.5 - 1
        shown, wanted = all_turns(shown) if labels is None else (_shifted(shown, stream), labels[rows])
        loss = F.cross_entropy(judge(shown), wanted)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        yield


def _shifted(x: Tensor, stream: torch.Generator) -> Tensor:
    """By up to a fourteenth of the side, so that place matters little."""
    reach = max(1, x.shape[-1] // 14)
    down, right = (int(shift) for shift in torch.randint(-reach, reach + 1, (2,), generator=stream))
    return x.roll((down, right), dims=(2, 3))


def _fresh(channels: int, classes: int) -> Judge:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Judge(channels, classes)


@contextmanager
def _on_one_thread() -> Iterator[None]:
    """Several would round sums otherwise."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _read(judge: Judge, path: Path) -> bool:
    """Whether it was kept, and whole."""
    if not path.is_file():
        return False
    try:
        judge.load_state_dict(torch.load(path, "cpu", weights_only=True))
    except (OSError, EOFError, RuntimeError, KeyError, pickle.UnpicklingError) as error:
        log.warning("The kept judge %s cannot be read and learns anew: %s", path.name, error)
        return False
    return True


def _keep(judge: Judge, path: Path) -> None:
    """Several jobs may learn the same judge at once."""
    with durable.atomic_write(path) as incoming, incoming.open("wb") as file:
        torch.save(judge.state_dict(), file)


def _mark(judge: Judge) -> str:
    said = hashlib.sha256()
    for name, tensor in sorted(judge.state_dict().items()):
        said.update(name.encode() + tensor.contiguous().numpy().tobytes())
    return said.hexdigest()[:12]
