"""A feature network out of a local file, with tiny scripted ones in Inception's place."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from worker.evaluation.features import WeightsMissing
from worker.evaluation.inception import FILE, read_inception

pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")
"""TorchScript is no longer worked on, and the network everybody compares by is a file of it."""


class Exported(nn.Module):
    """Speaks like the exported script: features when asked for, probabilities otherwise."""

    def forward(self, x: Tensor, return_features: bool = False) -> Tensor:
        assert x.dtype == torch.uint8
        means = x.float().mean(dim=[2, 3])
        return means if return_features else means.softmax(dim=1)


class Plain(nn.Module):
    """Gives features alone, as a map."""

    def forward(self, x: Tensor) -> Tensor:
        return x.float().mean(dim=[2, 3], keepdim=True)


class Wrong(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.view(-1, 7)


def kept(network: nn.Module, folder: Path) -> Path:
    torch.jit.script(network).save(folder / FILE)  # type: ignore[no-untyped-call]
    return folder


PICTURES = torch.tensor([-1.0, 0.0, 1.0]).view(3, 1, 1, 1).expand(3, 1, 40, 40)


def test_grey_pictures_are_shown_in_three_channels_of_bytes(tmp_path: Path) -> None:
    network = read_inception(kept(Exported(), tmp_path))
    features, logits = network.embed(PICTURES)
    assert features.tolist() == [[0, 0, 0], [128, 128, 128], [255, 255, 255]]
    assert logits is not None
    assert logits.exp().sum(dim=1).tolist() == pytest.approx([1, 1, 1])
    assert network.classes == 3
    assert len(network.mark) == 12


def test_alpha_is_left_out_and_many_are_seen_in_parts(tmp_path: Path) -> None:
    network = read_inception(kept(Exported(), tmp_path))
    many = torch.rand(100, 4, 8, 8, generator=torch.Generator().manual_seed(1)) * 2 - 1
    levels = (many[:, :3] * 127.5 + 127.5).round().mean(dim=(2, 3))
    assert torch.allclose(network.embed(many)[0], levels, atol=1e-3)


def test_a_network_that_gives_features_alone_has_no_classes(tmp_path: Path) -> None:
    network = read_inception(kept(Plain(), tmp_path))
    features, logits = network.embed(PICTURES)
    assert features.shape == (3, 3)
    assert logits is None
    assert network.classes == 0


@pytest.mark.parametrize("root", [None, Path("/nowhere")])
def test_without_the_file_the_refusal_says_where_it_goes(root: Path | None) -> None:
    with pytest.raises(WeightsMissing, match=rf"Put a TorchScript file of it, as {FILE}, into .*request features own"):
        read_inception(root)


def test_a_file_that_is_no_such_network_is_named(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"no script")
    with pytest.raises(WeightsMissing, match=f"{FILE} is not a TorchScript network .*Replace it"):
        read_inception(tmp_path)
    with pytest.raises(WeightsMissing, match=f"{FILE} is not a TorchScript network .*Replace it"):
        read_inception(kept(Wrong(), tmp_path))
