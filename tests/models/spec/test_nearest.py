"""The name that a refusal suggests for an unknown one."""

import pytest

from models.spec.wording import nearest

NAMES = ("gan", "wgan", "vae", "digits", "mnist", "copied", "direction", "class", "sunny-day", "generator_optimizer")


@pytest.mark.parametrize(
    ("word", "near"),
    [
        ("gna", "gan"), ("vea", "vae"), ("mnits", "mnist"), ("dircetion", "direction"),
        ("gn", "gan"), ("digit", "digits"), ("directon", "direction"),
        ("Digits_", "digits"), ("classs", "class"), ("clasz", "class"),
        ("sunny", "sunny-day"), ("day", "sunny-day"), ("optimizer", "generator_optimizer"),
    ],
)  # fmt: skip
def test_transposed_missing_added_or_replaced_letter_and_a_part_are_near(word: str, near: str) -> None:
    assert nearest(word, NAMES) == near


@pytest.mark.parametrize("word", ["nope", "none", "foo", "horse2zebra", "x", "7", "10", "", "-", "1.5"])
def test_noise_is_not_near(word: str) -> None:
    assert nearest(word, (*NAMES, "1", "10-0")) is None


def test_part_of_two_names_is_near_to_neither() -> None:
    assert nearest("digits", ("cdcgan-digits", "biggan-digits")) is None
