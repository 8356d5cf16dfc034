"""Feature networks that compare picture contents: one trained on the dataset itself, and VGG19 from a local file."""

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
    """The error of a feature network whose weights are missing or damaged. The message says where to put them."""


def train_rotation_net(network: RotationNet, pictures: Callable[[int], Tensor], steps: int) -> Iterator[None]:
    """Train the network to predict the rotation of pictures (Gidaris et al. 2018); yield after each step.

    `pictures(number)` returns batch `number`, [n, c, s, s] in [-1, 1]. As in the paper, a step uses all four rotations
    of each picture. At the end the features are scaled to a mean square of 1 over one more batch.
    """
    network.requires_grad_(True).train()
    optimizer = torch.optim.Adam(network.parameters(), lr=RATE)
    for number in range(steps):
        rotated, quarter_turns = all_rotations(pictures(number))
        loss = F.cross_entropy(network.rotation_logits(rotated), quarter_turns)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        yield
    network.requires_grad_(False).eval()
    with torch.no_grad():
        network.scale.copy_(network.features(pictures(steps)).square().mean().clamp(min=1e-12).rsqrt())


def all_rotations(x: Tensor) -> tuple[Tensor, Tensor]:
    """Rotate pictures [n, c, s, s] by 0 to 3 quarter turns; return [4 n, c, s, s] and the numbers of turns [4 n]."""
    rotated = torch.cat([torch.rot90(x, quarters, (2, 3)) for quarters in range(QUARTER_TURNS)])
    return rotated, torch.arange(QUARTER_TURNS, device=x.device).repeat_interleave(len(x))


def read_vgg19(network: Vgg19, root: Path | None) -> None:
    """Load torchvision's weights from the folder `root` into the network. Raises WeightsMissing."""
    path = _find_file(root)
    try:
        weights = load_file(path) if path.suffix == ".safetensors" else torch.load(path, "cpu", weights_only=True)
        network.load_state_dict({name: weights[name] for name in network.state_dict()})
    except Exception as error:  # both readers raise any exception for a damaged file
        reason = f"it has no {error}" if isinstance(error, KeyError) else _first_line(error)
        sentence = f"{path.name} does not hold the weights of torchvision's vgg19 ({reason})."
        raise WeightsMissing(f"{sentence} Replace it, or set game.features to own.") from error


def _find_file(root: Path | None) -> Path:
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
