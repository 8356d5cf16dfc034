"""Values in short text, and the curves that views draw with it."""

from forger.events import Metrics, Rewound
from forger.live_curves import LiveCurves
from forger.text import alternatives, by_player, counted, sparkline


def test_sparkline_draws_a_curve_in_one_line() -> None:
    assert sparkline([0, 1, 2, 3, 4, 5, 6, 7]) == "▁▂▃▄▅▆▇█"
    assert sparkline([5.0, 5.0]) == "▁▁"
    assert sparkline([]) == ""
    assert sparkline([0.0, None, 1.0]) == "▁!█"
    assert sparkline(range(1000), width=8) == "▁▂▃▄▅▆▇█"
    assert sparkline([0.0] * 99 + [None], width=10) == "▁▁▁▁▁▁▁▁▁!"


def test_counts_and_alternatives_are_words() -> None:
    assert [counted(n, "latent") for n in (0, 1, 2)] == ["0 latents", "1 latent", "2 latents"]
    assert [alternatives("abc"[:n]) for n in (1, 2, 3)] == ["a", "a or b", "a, b or c"]


def test_by_player_sums_the_losses_of_each_player() -> None:
    values = {"critic/hinge": 1.0, "critic/r1": 0.5, "generator/hinge": None}
    measured = {"figure/frechet": 2.0, "figure/kid": 0.5, "gauge/augment": 0.1}
    assert by_player(values | measured) == {"critic": 1.5, "generator": None, "frechet": 2.0, "kid": 0.5}


def test_steps_that_a_new_attempt_repeats_are_drawn_once() -> None:
    curves = LiveCurves()
    for event in (
        Metrics(1, 1, {"critic/hinge": 1.0}),
        Metrics(2, 2, {"critic/hinge": 2.0, "figure/frechet": 9.0}),
        Metrics(3, 3, {"critic/hinge": None}),
    ):
        curves.add(event)
    assert curves.by_name() == {"critic": [1, 2, None], "frechet": [9]}
    curves.add(Rewound(4, 1))
    curves.add(Metrics(5, 2, {"critic/hinge": 5.0}))
    assert curves.by_name() == {"critic": [1, 5]}
