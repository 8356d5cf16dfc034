"""The plain loop: what PyTorch's own tutorials teach, on the project's networks, and the bare mathematics of it.

As taught (the tutorial "DCGAN" and those on data): a Dataset of pictures with transforms, a DataLoader that shuffles,
fp32, torch.optim.Adam as it comes, all gradients taken, `.item()` of the losses every step. The families that no
tutorial shows are written in the same manner. The bare loop takes the same losses of one batch that never changes,
without a data loader, an optimiser or a look at any number: what no trainer of these networks can do without.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from bench.peers.generator import as_taught
from models.build import build
from models.spec.recipe import Recipe

Batch = tuple[Tensor, Tensor]
"""pictures in [-1, 1], and what stands beside them: labels, or the other pile"""


class Pictures(Dataset[Batch]):
    """uint8 [n, h, w, c] with labels [n] or another pile [n, h, w, c], transformed one at a time."""

    def __init__(self, pictures: NDArray[np.uint8], beside: NDArray[Any]) -> None:
        self.pictures, self.beside = pictures, beside

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, place: int) -> Batch:
        beside = self.beside[place]
        return transformed(self.pictures[place]), transformed(beside) if beside.ndim else torch.tensor(beside)


def transformed(picture: NDArray[np.uint8]) -> Tensor:
    """What ToTensor and Normalize(.5, .5) make of a PIL picture."""
    image = Image.fromarray(picture.squeeze())
    levels = torch.from_numpy(np.array(image)).view(image.height, image.width, -1)
    return levels.permute(2, 0, 1).contiguous().float().div(255).sub(0.5).div(0.5)


def batches(data: Dataset[Batch], size: int, workers: int) -> Iterator[Batch]:
    """Epoch after epoch."""
    loader = DataLoader(data, size, shuffle=True, num_workers=workers, drop_last=True, persistent_workers=workers > 0)
    while True:
        yield from loader


@dataclass
class Loop:
    """Players, where their batches come from, and how they move."""

    recipe: Recipe
    data: Iterator[Batch]
    bare: bool = False
    half: bool = False
    memory: torch.memory_format = torch.contiguous_format
    device: str = "cpu"
    networks: dict[str, nn.Module] = field(default_factory=dict)
    movers: dict[str, torch.optim.Optimizer] = field(default_factory=dict)

    def __post_init__(self) -> None:
        cast = build(self.recipe)
        assert cast.critic is not None
        self.networks = {"generator": cast.generator, "critic": cast.critic}
        for name, network in self.networks.items():
            if not self.bare:
                as_taught(network)
            network.to(self.device, memory_format=self.memory)  # type: ignore[call-overload]
            adam: Any = getattr(self.recipe, f"{name}_optimizer")
            rate, betas = adam.rate, (adam.beta1, adam.beta2)
            self.movers[name] = torch.optim.Adam(network.parameters(), lr=rate, betas=betas)

    def step(self) -> None:
        with torch.autocast(self.device, torch.bfloat16, enabled=self.half):
            STEPS[self.recipe.game.kind if self.recipe.game.kind == "unpaired" else _kind(self.recipe)](self)

    def batch(self) -> Batch:
        first, second = next(self.data)
        return first.to(self.device), second.to(self.device)

    def noise(self, n: int) -> Tensor:
        return torch.randn(n, self.recipe.latent.size, device=self.device)

    def judge(self, x: Tensor, label: Tensor | None = None) -> Any:
        return self.networks["critic"](x.to(memory_format=self.memory), label)

    def make(self, n: int, label: Tensor | None = None) -> Tensor:
        made: Tensor = self.networks["generator"](self.noise(n), label)
        return made

    def move(self, name: str, loss: Tensor) -> float:
        """Gradients and a step; bare, gradients alone, and only those that the player needs."""
        mover = self.movers[name]
        mover.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        if self.bare:
            return 0.0
        mover.step()
        return loss.item()

    def spare_critic(self, spare: bool) -> None:
        """Bare, the critic's own gradients are not taken on the generator's turn."""
        if self.bare:
            self.networks["critic"].requires_grad_(not spare)


def dcgan(loop: Loop) -> None:
    real, _ = loop.batch()
    fake = loop.make(len(real))
    scores, fakes = loop.judge(real).score, loop.judge(fake.detach()).score
    loop.move("critic", _says(scores, 1) + _says(fakes, 0))
    loop.spare_critic(True)
    loop.move("generator", _says(loop.judge(fake).score, 1))
    loop.spare_critic(False)


def cdcgan(loop: Loop) -> None:
    """With the class named, as an auxiliary loss of both players."""
    real, label = loop.batch()
    fake = loop.make(len(real), label)
    told, faked = loop.judge(real, label), loop.judge(fake.detach(), label)
    loop.move("critic", _says(told.score, 1) + _says(faked.score, 0) + F.cross_entropy(told.classes.float(), label))
    loop.spare_critic(True)
    verdict = loop.judge(fake, label)
    loop.move("generator", _says(verdict.score, 1) + 0.2 * F.cross_entropy(verdict.classes.float(), label))
    loop.spare_critic(False)


def wgan_gp(loop: Loop) -> None:
    for turn in range(loop.recipe.turns.critic_steps):
        real, _ = loop.batch()
        last = turn == loop.recipe.turns.critic_steps - 1
        with torch.set_grad_enabled(not loop.bare or last):
            fake = loop.make(len(real))
        apart = loop.judge(fake.detach()).score.float().mean() - loop.judge(real).score.float().mean()
        loop.move("critic", apart + 10 * _gradient_penalty(loop, real, fake.detach()))
    loop.spare_critic(True)
    loop.move("generator", -loop.judge(fake if loop.bare else loop.make(len(real))).score.float().mean())
    loop.spare_critic(False)


def cyclegan(loop: Loop) -> None:
    """Without the pool of older fakes."""
    a, b = loop.batch()
    nets: Any = loop.networks["generator"]
    critics: Any = loop.networks["critic"]
    loop.spare_critic(True)
    fake_b, fake_a = nets["a2b"](a), nets["b2a"](b)
    cycle = F.l1_loss(nets["b2a"](fake_b), a) + F.l1_loss(nets["a2b"](fake_a), b)
    same = F.l1_loss(nets["a2b"](b), b) + F.l1_loss(nets["b2a"](a), a)
    fooled = _squares(critics["a"](fake_a).score, 1) + _squares(critics["b"](fake_b).score, 1)
    loop.move("generator", fooled + 10 * cycle + 5 * same)
    loop.spare_critic(False)
    told = sum(
        _squares(critics[tag](real).score, 1) + _squares(critics[tag](fake.detach()).score, 0)
        for tag, real, fake in (("a", a, fake_a), ("b", b, fake_b))
    )
    assert isinstance(told, Tensor)
    loop.move("critic", told / 2)


STEPS: dict[str, Callable[[Loop], None]] = {
    "dcgan": dcgan, "cdcgan": cdcgan, "wgan_gp": wgan_gp, "unpaired": cyclegan,
}  # fmt: skip


def _kind(recipe: Recipe) -> str:
    if recipe.objective is not None and recipe.objective.kind == "wasserstein":
        return "wgan_gp"
    return "cdcgan" if recipe.classes else "dcgan"


def _says(score: Tensor, truth: int) -> Tensor:
    score = score.float()
    return F.binary_cross_entropy_with_logits(score, torch.full_like(score, truth))


def _squares(score: Tensor, truth: int) -> Tensor:
    return (score.float() - truth).square().mean()


def _gradient_penalty(loop: Loop, real: Tensor, fake: Tensor) -> Tensor:
    share = torch.rand(len(real), 1, 1, 1, device=real.device)
    between = (share * real + (1 - share) * fake.float()).requires_grad_()
    score = loop.judge(between).score.float()
    (slope,) = torch.autograd.grad(score.sum(), between, create_graph=True)
    penalty: Tensor = (slope.flatten(1).norm(2, dim=1) - 1).square().mean()
    return penalty
