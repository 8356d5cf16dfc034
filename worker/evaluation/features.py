"""Networks that compare contents: one that learns from the dataset itself, and VGG19 from a local file."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor

from data.readers.builtin import DatasetMissing
from models.nets.rotation import QUARTER_TURNS, RotationNet
from models.nets.vgg import Vgg19

RATE = 1e-3
VGG19_FILES = ("vgg19.safetensors", "vgg19.pth")


class WeightsMissing(DatasetMissing):
    """The weights of a feature network are absent or damaged. The message says where to put them."""


def learn_turns(network: RotationNet, pictures: Callable[[int], Tensor], steps: int) -> Iterator[None]:
    """Learn by how many quarters each picture was turned (Gidaris et al. 2018). Yields after each step.

    `pictures(number)` are [n, c, s, s] in [-1, 1]; all four turns of each are seen at once, as the paper has it.
    At the end features are scaled to a mean square of 1 over the last of them.
    """
    network.requires_grad_(True).train()
    optimizer = torch.optim.Adam(network.parameters(), lr=RATE)
    for number in range(steps):
        turned, turns = all_turns(pictures(number))
        loss = F.cross_entropy(network.rotation_logits(turned), turns)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        yield
    network.requires_grad_(False).eval()
    with torch.no_grad():
        network.scale.copy_(network.features(pictures(steps)).square().mean().clamp(min=1e-12).rsqrt())


def all_turns(x: Tensor) -> tuple[Tensor, Tensor]:
    """Pictures [n, c, s, s] -> [4 n, c, s, s], turned by 0 to 3 quarters, and by how many [4 n]."""
    turned = torch.cat([torch.rot90(x, quarters, (2, 3)) for quarters in range(QUARTER_TURNS)])
    return turned, torch.arange(QUARTER_TURNS, device=x.device).repeat_interleave(len(x))


def read_vgg19(network: Vgg19, root: Path | None) -> None:
    """Fill it from torchvision's weights in the folder `root`. Raises WeightsMissing."""
    path = _found(root)
    try:
        weights = load_file(path) if path.suffix == ".safetensors" else torch.load(path, "cpu", weights_only=True)
        wanted = network.state_dict()
        network.load_state_dict({name: weights[name] for name in wanted})
    except Exception as error:  # what damaged files raise is the readers' affair
        reason = f"it has no {error}" if isinstance(error, KeyError) else _first_line(error)
        sentence = f"{path.name} does not hold the weights of torchvision's vgg19 ({reason})."
        raise WeightsMissing(f"{sentence} Replace it, or set game.features to own.") from error


def _found(root: Path | None) -> Path:
    for name in VGG19_FILES if root is not None else ():
        if root is not None and (root / name).is_file():
            return root / name
    where = f"the folder {root}" if root is not None else "a folder and set FORGER_DATA to it"
    raise WeightsMissing(
        "The recipe compares features of vgg19, and its weights are not here. "
        f"Put torchvision's, as {' or '.join(VGG19_FILES)}, into {where}; or set game.features to own."
    )


def _first_line(error: Exception) -> Any:
    return (str(error).strip() or type(error).__name__).split("\n")[0].rstrip(".:")
