"""Results as tables of the documentation."""

from pathlib import Path

from bench.results import Row, markdown, write


def test_cases_stand_downwards_and_figures_across_with_their_spread(tmp_path: Path) -> None:
    rows = [Row("ring8 gan", "modes", 7.5, 0.5, 10), Row("ring8 gan", "steps", 10_000), Row("real", "modes", 8)]
    write("modes", rows, tmp_path / "modes.json")
    assert markdown(tmp_path / "modes.json").splitlines() == [
        "| case | modes | steps |",
        "|---|---|---|",
        "| ring8 gan | 7.5 ± 0.5 | 10,000 |",
        "| real | 8 |  |",
    ]
