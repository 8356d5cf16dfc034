"""The spectral norm: it holds what it says, moves only while training, and its state is what is saved."""

import copy

import torch
from torch import nn
from torch.func import functional_call

from models.nets.layers.spectral import add_spectral_norm, add_spectral_norms


def layer() -> nn.Linear:
    torch.manual_seed(1)
    made = nn.Linear(6, 4)
    add_spectral_norm(made)
    return made


def test_the_largest_singular_value_becomes_one() -> None:
    held = layer()
    for _ in range(50):
        held(torch.ones(1, 6))
    torch.testing.assert_close(torch.linalg.matrix_norm(held.weight, 2), torch.tensor(1.0))
    original = held.get_parameter("parametrizations.weight.original")
    torch.testing.assert_close(held.weight * torch.linalg.matrix_norm(original, 2), original)


def test_a_convolution_counts_as_the_matrix_of_its_outputs() -> None:
    torch.manual_seed(1)
    network = nn.Sequential(nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5))
    add_spectral_norms(network)
    for _ in range(50):
        network(torch.randn(2, 3, 4, 4))
    convolution = network[0]
    assert isinstance(convolution, nn.Conv2d)
    torch.testing.assert_close(torch.linalg.matrix_norm(convolution.weight.flatten(1), 2), torch.tensor(1.0))


def test_the_slope_is_that_of_the_normalised_weight() -> None:
    held = layer().double()
    original = held.get_parameter("parametrizations.weight.original")
    for _ in range(200):  # at the singular vectors, which the slope takes as they are
        held(torch.ones(1, 6, dtype=torch.float64))

    def normalised(weight: torch.Tensor) -> torch.Tensor:
        squares: torch.Tensor = (weight / torch.linalg.matrix_norm(weight, 2)).square().sum()
        return squares

    (expected,) = torch.autograd.grad(normalised(original), original)
    (slope,) = torch.autograd.grad(held.weight.square().sum(), original)
    torch.testing.assert_close(slope, expected)


def test_only_training_moves_it_and_stand_ins_leave_no_trace() -> None:
    held = layer()
    before = held.state_dict()["parametrizations.weight.0.u"].clone()

    def moved() -> bool:
        return not torch.equal(before, held.state_dict()["parametrizations.weight.0.u"])

    held.eval()
    first, second = held(torch.ones(1, 6)), held(torch.ones(1, 6))
    assert torch.equal(first, second)
    assert not moved()
    held.train()
    stand_ins = {name: weight.detach() + 1 for name, weight in held.named_parameters()}
    functional_call(held, stand_ins, torch.ones(1, 6))
    assert not moved()
    held(torch.ones(1, 6))
    assert moved()


def test_it_continues_bit_for_bit_from_what_was_saved() -> None:
    whole, fresh = layer(), nn.Linear(6, 4)
    add_spectral_norm(fresh)
    whole(torch.ones(1, 6))
    fresh.load_state_dict(copy.deepcopy(whole.state_dict()))
    for _ in range(3):
        assert torch.equal(whole(torch.ones(1, 6)), fresh(torch.ones(1, 6)))


def test_an_average_of_its_state_serves_as_well() -> None:
    held = layer()
    average = copy.deepcopy(held).eval()
    state = average.state_dict()
    state["parametrizations.weight.0.u"] *= 0.2  # shorter, as a mean of different directions is
    average.load_state_dict(state)
    torch.testing.assert_close(average(torch.ones(1, 6)), held.eval()(torch.ones(1, 6)))


def test_it_is_found_in_full_precision_under_autocast() -> None:
    held = layer()
    with torch.autocast("cpu", torch.bfloat16):
        assert held.weight.dtype == torch.float32
