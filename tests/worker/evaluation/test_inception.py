"""Inception's features from a local file, with tiny scripted networks in its place."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from worker.evaluation.features import WeightsMissing
from worker.evaluation.inception import FILE, read_inception

pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")
"""TorchScript is deprecated, but the Inception network that published figures use is a TorchScript file."""


class FeaturesOnRequest(nn.Module):
    """A network called like the real script: features on request, probabilities otherwise."""

    def forward(self, x: Tensor, return_features: bool = False) -> Tensor:
        assert x.dtype == torch.uint8
        means = x.float().mean(dim=[2, 3])
        return means if return_features else means.softmax(dim=1)


class FeaturesOnly(nn.Module):
    """A network that returns features only, as a map."""

    def forward(self, x: Tensor) -> Tensor:
        return x.float().mean(dim=[2, 3], keepdim=True)


class WrongShape(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.view(-1, 7)


def write_script(network: nn.Module, folder: Path) -> Path:
    torch.jit.script(network).save(folder / FILE)  # type: ignore[no-untyped-call]
    return folder


PICTURES = torch.tensor([-1.0, 0.0, 1.0]).view(3, 1, 1, 1).expand(3, 1, 40, 40)


def test_grey_pictures_are_passed_as_bytes_in_three_channels(tmp_path: Path) -> None:
    network = read_inception(write_script(FeaturesOnRequest(), tmp_path))
    features, logits = network.embed(PICTURES)
    assert features.tolist() == [[0, 0, 0], [128, 128, 128], [255, 255, 255]]
    assert logits is not None
    assert logits.exp().sum(dim=1).tolist() == pytest.approx([1, 1, 1])
    assert network.classes == 3
    assert len(network.mark) == 12


def test_alpha_is_dropped_and_many_pictures_are_embedded_in_chunks(tmp_path: Path) -> None:
    network = read_inception(write_script(FeaturesOnRequest(), tmp_path))
    many = torch.rand(100, 4, 8, 8, generator=torch.Generator().manual_seed(1)) * 2 - 1
    levels = (many[:, :3] * 127.5 + 127.5).round().mean(dim=(2, 3))
    assert torch.allclose(network.embed(many)[0], levels, atol=1e-3)


def test_network_that_returns_features_only_has_no_classes(tmp_path: Path) -> None:
    network = read_inception(write_script(FeaturesOnly(), tmp_path))
    features, logits = network.embed(PICTURES)
    assert features.shape == (3, 3)
    assert logits is None
    assert network.classes == 0


@pytest.mark.parametrize("root", [None, Path("/nowhere")])
def test_refusal_without_the_file_says_where_to_put_it(root: Path | None) -> None:
    with pytest.raises(WeightsMissing, match=rf"Put a TorchScript file of it, as {FILE}, into .*request features own"):
        read_inception(root)


def test_refusal_of_a_wrong_file_names_it(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"no script")
    with pytest.raises(WeightsMissing, match=f"{FILE} is not a TorchScript network .*Replace it"):
        read_inception(tmp_path)
    with pytest.raises(WeightsMissing, match=f"{FILE} is not a TorchScript network .*Replace it"):
        read_inception(write_script(WrongShape(), tmp_path))
