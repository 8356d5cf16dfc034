"""The check of benchmark results: it accepts rows within their bounds, and names the others."""

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from bench import start, train_speed
from bench.check import BOUNDS, COMMANDS, Bound, main, missed
from bench.results import Row
from bench.sample_latency import CLIENTS


def rows_at_the_bounds(bench: str) -> list[Row]:
    """Return rows whose ratios are exactly at their bounds."""
    rows: dict[tuple[str, str], Row] = {}
    for bound in BOUNDS[bench]:
        row = rows.setdefault((bound.case, bound.figure), Row(bound.case, bound.figure, 1.0))
        row.against[bound.against] = bound.ratio
    return list(rows.values())


def rows_beyond(bench: str, bound: Bound) -> list[Row]:
    """Return the same rows, with one ratio a little worse than its bound."""
    worse = bound.ratio * (0.99 if bound.kind == "at least" else 1.01)
    return [
        replace(row, against=row.against | {bound.against: worse})
        if (row.case, row.figure) == (bound.case, bound.figure)
        else row
        for row in rows_at_the_bounds(bench)
    ]


def write_result(path: Path, bench: str, rows: Sequence[Row]) -> str:
    path.write_text(json.dumps({"bench": bench, "rows": [asdict(row) for row in rows]}))
    return str(path)


@pytest.mark.parametrize("bench", COMMANDS)
def test_rows_at_their_bounds_pass(bench: str) -> None:
    assert missed(bench, rows_at_the_bounds(bench)) == []


@pytest.mark.parametrize(("bench", "bound"), [(bench, bound) for bench in BOUNDS for bound in BOUNDS[bench]])
def test_only_the_ratio_beyond_its_bound_is_named(bench: str, bound: Bound) -> None:
    (sentence,) = missed(bench, rows_beyond(bench, bound))
    assert sentence.startswith(f"{bench}: '{bound.case}'")
    assert bound.figure in sentence
    assert bound.against in sentence
    assert f"the bound is {bound.kind} {bound.ratio:g}" in sentence


@pytest.mark.parametrize("bench", COMMANDS)
def test_missing_row_is_reported_for_every_bound(bench: str) -> None:
    sentences = missed(bench, [])
    assert len(sentences) == len(BOUNDS[bench])
    assert all("make the bench and BOUNDS agree" in sentence for sentence in sentences)


def test_given_result_files_are_compared_with_the_bounds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [write_result(tmp_path / f"{bench}.json", bench, rows_at_the_bounds(bench)) for bench in COMMANDS]
    assert main(files) == 0
    assert "Every ratio is within its bound" in capsys.readouterr().out
    bound = BOUNDS["start"][0]
    files.append(write_result(tmp_path / "slow.json", "start", rows_beyond("start", bound)))
    assert main(files) == 1
    assert capsys.readouterr().out.startswith(f"start: '{bound.case}'")


def test_missing_result_file_is_reported(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="There is no result"):
        main([str(tmp_path / "start.json")])


def test_bounds_are_for_cases_that_the_benches_measure() -> None:
    cases = {bench: {bound.case for bound in BOUNDS[bench]} for bench in BOUNDS}
    assert BOUNDS.keys() == COMMANDS.keys()
    assert cases["train_speed"] == {f"{case.name}: forger" for case in train_speed.CASES}
    assert cases["sample_latency"] == {f"forger, {clients} clients" for clients in CLIENTS}
    rounds = {(name, figure): [1.0, 1.0] for name in (start.TORCH, start.WEB) for figure in ("seconds", "cpu seconds")}
    rows = start.rows(rounds | {(bound.case, bound.figure): [1.0, 2.0] for bound in BOUNDS["start"]})
    against = {(row.case, row.figure): row.against for row in rows}
    assert all(bound.against in against[bound.case, bound.figure] for bound in BOUNDS["start"])
