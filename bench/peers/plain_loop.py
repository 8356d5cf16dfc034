"""The plain loop of PyTorch's own tutorials, on the project's networks, and the bare limit: forward and backward alone.

The plain loop follows the tutorial "DCGAN" and those on data: a Dataset of pictures with transforms, a DataLoader that
shuffles, fp32, torch.optim.Adam with its defaults, all gradients computed, `.item()` of the losses at every step. The
families without a tutorial are written in the same style. The bare loop computes the same losses on one batch that
never changes, without a data loader, an optimiser or `.item()`: the work that every trainer of these networks must do.
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
"""pictures in [-1, 1], and their labels or the pictures of the other domain"""


class Pictures(Dataset[Batch]):
    """uint8 [n, h, w, c] with labels [n] or the other domain [n, h, w, c], transformed one at a time."""

    def __init__(self, pictures: NDArray[np.uint8], beside: NDArray[Any]) -> None:
        self.pictures, self.beside = pictures, beside

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, place: int) -> Batch:
        beside = self.beside[place]
        return transformed(self.pictures[place]), transformed(beside) if beside.ndim else torch.tensor(beside)


def transformed(picture: NDArray[np.uint8]) -> Tensor:
    """Apply ToTensor and Normalize(.5, .5) to a PIL picture."""
    image = Image.fromarray(picture.squeeze())
    levels = torch.from_numpy(np.array(image)).view(image.height, image.width, -1)
    return levels.permute(2, 0, 1).contiguous().float().div(255).sub(0.5).div(0.5)


def batches(data: Dataset[Batch], size: int, workers: int) -> Iterator[Batch]:
    """Yield batches, epoch after epoch."""
    loader = DataLoader(data, size, shuffle=True, num_workers=workers, drop_last=True, persistent_workers=workers > 0)
    while True:
        yield from loader


@dataclass
class Loop:
    """The networks, the source of their batches, and their updates."""

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
        fake: Tensor = self.networks["generator"](self.noise(n), label)
        return fake

    def move(self, name: str, loss: Tensor) -> float:
        """Compute gradients and update; in the bare loop only the gradients that the network needs."""
        mover = self.movers[name]
        mover.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        if self.bare:
            return 0.0
        mover.step()
        return loss.item()

    def spare_critic(self, spare: bool) -> None:
        """In the bare loop, the critic's own gradients are not computed for the generator's loss."""
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
    """Update both networks, with the class as an auxiliary loss of both."""
    real, label = loop.batch()
    fake = loop.make(len(real), label)
    of_real, of_fake = loop.judge(real, label), loop.judge(fake.detach(), label)
    classes = F.cross_entropy(of_real.classes.float(), label)
    loop.move("critic", _says(of_real.score, 1) + _says(of_fake.score, 0) + classes)
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
    """Update CycleGAN, without the pool of older fakes."""
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
    loss = sum(
        _squares(critics[tag](real).score, 1) + _squares(critics[tag](fake.detach()).score, 0)
        for tag, real, fake in (("a", a, fake_a), ("b", b, fake_b))
    )
    assert isinstance(loss, Tensor)
    loop.move("critic", loss / 2)


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
