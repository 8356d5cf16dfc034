"""Toy data: densities integrate to one, and balanced strings are recognised."""

import numpy as np
import pytest

from data.toy import MIXTURES, balanced, kernel_density, line_through, spell

ALPHABET = "()[]"


def as_numbers(*strings: str) -> np.ndarray:
    return np.array([[ALPHABET.index(letter) for letter in string] for string in strings])


def test_the_density_on_a_line_is_the_closed_form_and_integrates_to_one() -> None:
    mixture = MIXTURES["gaussian1d"]
    x = line_through(mixture, 2000)

    def normal(mean: float, spread: float) -> np.ndarray:
        return np.asarray(np.exp(-((x - mean) ** 2) / (2 * spread**2)) / (spread * np.sqrt(2 * np.pi)))

    density = mixture.density(x[:, None])
    assert np.allclose(density, (normal(-1.5, 0.5) + normal(1.5, 1.0)) / 2)
    assert np.trapezoid(density, x) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("name", ["ring8", "grid25"])
def test_the_density_in_the_plane_integrates_to_one(name: str) -> None:
    mixture = MIXTURES[name]
    line = np.linspace(-5, 5, 41) * mixture.spreads[0]  # around the first mode; the others are far away
    square = mixture.modes[0] + np.stack(np.meshgrid(line, line), axis=2).reshape(-1, 2)
    mass = mixture.density(square).sum() * (line[1] - line[0]) ** 2
    assert mass == pytest.approx(1 / len(mixture.modes), rel=0.001)


def test_kernel_density_estimate_is_near_the_true_density() -> None:
    mixture, rng = MIXTURES["gaussian1d"], np.random.default_rng(0)
    component = rng.integers(0, 2, 20_000)
    points = mixture.modes[component, 0] + mixture.spreads[component] * rng.standard_normal(20_000)
    x = line_through(mixture)
    estimate = kernel_density(points, x)
    assert np.trapezoid(estimate, x) == pytest.approx(1, abs=0.01)
    assert np.abs(estimate - mixture.density(x[:, None])).max() < 0.02
    assert np.isfinite(kernel_density(np.zeros(3), x)).all(), "all points are equal"


@pytest.mark.parametrize(
    ("string", "valid"),
    [
        ("()[]", True), ("([])", True), ("(())", True), ("[()]", True),
        ("([)]", False), ("(((]", False), (")(()", False), ("()((", False), ("())(", False), ("(]()", False),
        ("))((", False), ("[)[]", False), ("]]]]", False),
    ],
)  # fmt: skip
def test_string_is_balanced_when_each_bracket_closes_the_last_open_one(string: str, valid: bool) -> None:
    assert balanced(as_numbers(string)).tolist() == [valid]


def test_balanced_equals_removing_pairs_for_every_string_of_six() -> None:
    every = np.stack(np.meshgrid(*[range(4)] * 6, indexing="ij"), axis=-1).reshape(-1, 6)

    def reduces_to_nothing(string: str) -> bool:
        while (shorter := string.replace("()", "").replace("[]", "")) != string:
            string = shorter
        return not string

    assert balanced(every).tolist() == [reduces_to_nothing(string) for string in spell(every, ALPHABET)]
    assert balanced(every).sum() == 40
