"""Spectral norm: the largest singular value becomes one, only training updates its estimate, which is saved."""

import copy

import torch
from torch import nn
from torch.func import functional_call

from models.nets.layers.spectral import add_spectral_norm, add_spectral_norms


def spectral_layer() -> nn.Linear:
    torch.manual_seed(1)
    layer = nn.Linear(6, 4)
    add_spectral_norm(layer)
    return layer


def test_the_largest_singular_value_becomes_one() -> None:
    layer = spectral_layer()
    for _ in range(50):
        layer(torch.ones(1, 6))
    torch.testing.assert_close(torch.linalg.matrix_norm(layer.weight, 2), torch.tensor(1.0))
    original = layer.get_parameter("parametrizations.weight.original")
    torch.testing.assert_close(layer.weight * torch.linalg.matrix_norm(original, 2), original)


def test_convolution_is_normalised_as_a_matrix_with_one_row_per_output() -> None:
    torch.manual_seed(1)
    network = nn.Sequential(nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5))
    add_spectral_norms(network)
    for _ in range(50):
        network(torch.randn(2, 3, 4, 4))
    convolution = network[0]
    assert isinstance(convolution, nn.Conv2d)
    torch.testing.assert_close(torch.linalg.matrix_norm(convolution.weight.flatten(1), 2), torch.tensor(1.0))


def test_gradient_is_that_of_the_normalised_weight() -> None:
    layer = spectral_layer().double()
    original = layer.get_parameter("parametrizations.weight.original")
    for _ in range(200):  # until the singular vectors are exact, which the gradient treats as constants
        layer(torch.ones(1, 6, dtype=torch.float64))

    def normalised(weight: torch.Tensor) -> torch.Tensor:
        squares: torch.Tensor = (weight / torch.linalg.matrix_norm(weight, 2)).square().sum()
        return squares

    (expected,) = torch.autograd.grad(normalised(original), original)
    (gradient,) = torch.autograd.grad(layer.weight.square().sum(), original)
    torch.testing.assert_close(gradient, expected)


def test_estimate_changes_only_in_training_and_not_in_functional_calls() -> None:
    layer = spectral_layer()
    before = layer.state_dict()["parametrizations.weight.0.u"].clone()

    def changed() -> bool:
        return not torch.equal(before, layer.state_dict()["parametrizations.weight.0.u"])

    layer.eval()
    first, second = layer(torch.ones(1, 6)), layer(torch.ones(1, 6))
    assert torch.equal(first, second)
    assert not changed()
    layer.train()
    other_weights = {name: weight.detach() + 1 for name, weight in layer.named_parameters()}
    functional_call(layer, other_weights, torch.ones(1, 6))
    assert not changed()
    layer(torch.ones(1, 6))
    assert changed()


def test_spectral_norm_continues_bit_for_bit_from_its_saved_state() -> None:
    whole, fresh = spectral_layer(), nn.Linear(6, 4)
    add_spectral_norm(fresh)
    whole(torch.ones(1, 6))
    fresh.load_state_dict(copy.deepcopy(whole.state_dict()))
    for _ in range(3):
        assert torch.equal(whole(torch.ones(1, 6)), fresh(torch.ones(1, 6)))


def test_averaged_state_gives_the_same_output() -> None:
    layer = spectral_layer()
    average = copy.deepcopy(layer).eval()
    state = average.state_dict()
    state["parametrizations.weight.0.u"] *= 0.2  # shorter, as the mean of different directions is
    average.load_state_dict(state)
    torch.testing.assert_close(average(torch.ones(1, 6)), layer.eval()(torch.ones(1, 6)))


def test_normalised_weight_is_in_fp32_under_autocast() -> None:
    layer = spectral_layer()
    with torch.autocast("cpu", torch.bfloat16):
        assert layer.weight.dtype == torch.float32
