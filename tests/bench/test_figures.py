"""The figures against what is known by hand."""

import json
from pathlib import Path

import pytest
import torch

from bench.figures import frechet_distance, share_error, within_class_spread
from bench.results import Row, write


def gaussian(n: int = 4_000, d: int = 6) -> torch.Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def test_no_distance_to_itself() -> None:
    assert frechet_distance(gaussian(), gaussian()) == pytest.approx(0, abs=1e-9)


def test_a_shift_counts_with_its_square() -> None:
    shift = torch.tensor([3.0, 0, 0, -4.0, 0, 0])
    assert frechet_distance(gaussian(), gaussian() + shift) == pytest.approx(25)


def test_a_scale_counts_by_the_difference_of_deviations() -> None:
    """Between N(0, C) and N(0, s^2 C) lies (s - 1)^2 tr C, whatever the axes."""
    mixed = gaussian() @ gaussian(6)
    assert frechet_distance(mixed, 3 * (mixed - mixed.mean(dim=0)) + mixed.mean(dim=0)) == pytest.approx(
        4 * mixed.T.cov().trace().item()
    )


def test_prototypes_have_no_spread_and_equal_noise_has_its_own() -> None:
    labels = torch.arange(1_000) % 10
    prototypes = (labels * 20).to(torch.uint8).view(-1, 1, 1, 1).expand(-1, 1, 4, 4)
    assert within_class_spread(prototypes, labels) == 0
    coins = torch.randint(0, 2, (1_000, 1, 4, 4), generator=torch.Generator().manual_seed(1)).to(torch.uint8) * 255
    assert within_class_spread(coins, labels) == pytest.approx(0.5, rel=0.02)


def test_the_error_of_a_share_is_binomial() -> None:
    assert share_error(0.5, 100) == pytest.approx(0.05)


def test_a_result_says_what_ran_where_and_when(tmp_path: Path) -> None:
    write("quality", [Row("3 min", "agreement", 0.98, n=5_000, against={"goal": 0.98})], tmp_path / "deep/a.json", x=1)
    result = json.loads((tmp_path / "deep/a.json").read_text())
    assert list(result) == ["bench", "commit", "device", "versions", "date", "rows"]
    assert result["rows"] == [
        {"case": "3 min", "figure": "agreement", "value": 0.98, "spread": None, "n": 5_000, "against": {"goal": 0.98}}
    ]
    assert result["device"]["x"] == 1
