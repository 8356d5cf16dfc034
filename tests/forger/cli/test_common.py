"""Ids that are shortened, tables that fit, endings that are true: the pure parts of the commands."""

import random
from collections.abc import Mapping
from pathlib import Path

import pytest

from forger.cli import common, printing
from forger.cli.pictures import PNG_ONLY, TRANSLATED_FORMATS, value_by_ending
from forger.cli.printing import Cell
from forger.cli.refusals import Refusal

IDS = [f"job_{head}{'0' * 20}{tail}" for head, tail in (("019a", "aa11"), ("019b", "bb11"), ("029b", "bb22"))]
IDS = [id_.ljust(36, "7") for id_ in IDS]


@pytest.mark.parametrize(("word", "place"), [("last", 0), (IDS[1], 1), ("job_02", 2), ("029", 2), (IDS[0][-20:], 0)])
def test_an_id_may_be_shortened_at_either_end(word: str, place: int) -> None:
    assert common.match_id(word, IDS, "job", "forger jobs") == IDS[place]


def test_a_short_id_of_several_is_refused_with_the_candidates() -> None:
    with pytest.raises(Refusal, match="may be 2 jobs") as refused:
        common.match_id("019", IDS, "job", "forger jobs")
    assert all(id_ in str(refused.value) for id_ in IDS[:2])
    assert IDS[2] not in str(refused.value)
    many = [f"exp_{number:032x}" for number in range(40)]
    with pytest.raises(Refusal, match="and 35 more"):
        common.match_id("exp_000", many, "experiment", "forger experiments")


@pytest.mark.parametrize("word", ["", "zz", "exp_019", "job_"])
def test_an_id_of_none_is_refused(word: str) -> None:
    with pytest.raises(Refusal, match="`forger jobs` lists them"):
        common.match_id(word, IDS, "job", "forger jobs")


def test_lists_show_as_much_of_an_id_as_tells_it_apart() -> None:
    alike = ["job_" + "1" * 24 + "00000000", "job_" + "1" * 23 + "200000000"]
    assert set(common.short_ids(["job_" + "0" * 32]).values()) == {"0" * 8}
    assert sorted(map(len, common.short_ids(alike).values())) == [9, 9]
    assert common.short_ids([]) == {}


@pytest.mark.parametrize("seed", range(20))
def test_tables_fit_into_a_pipe_and_lose_nothing(seed: int, capsys: pytest.CaptureFixture[str]) -> None:
    rng = random.Random(seed)
    columns, rows = rng.randint(1, 8), rng.randint(0, 4)
    cells = [["x" * rng.choice((1, 8, 36, 90, 300)) for _ in range(columns)] for _ in range(rows)]
    printing.print_table([f"H{number}" for number in range(columns)], cells)
    said = capsys.readouterr().out
    assert max(map(len, said.splitlines())) <= 100
    assert said.count("x") == sum(len(cell) for row in cells for cell in row)


@pytest.mark.parametrize("kind", ["converged_but_fails", "critic_saturated", "undertrained", "collapse"])
def test_words_stay_whole_where_a_table_is_narrow(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    head = ("ID", "KIND", "FAMILY", "DATASET", "STATE", "HEALTH", "STEP", "MODEL", "CREATED")
    row = ("aaaa1111", "train", "cyclegan", "photographs-of-day", "succeeded", kind, "1200000 of 1200000",
           "cyclegan-photographs-of-day@12", "2026-11-29 04:10:22")  # fmt: skip
    printing.print_table(head, [row])
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 100
    assert any(kind in line.split() for line in lines)
    assert any("succeeded" in line.split() for line in lines)


@pytest.mark.parametrize("columns", [1, 3, 17])
def test_wide_tables_are_parted_between_columns(columns: int, capsys: pytest.CaptureFixture[str]) -> None:
    head = ["FIGURE", *(f"case {number}, seed 1" for number in range(columns))]
    printing.print_marked_table(
        head, [[Cell("frechet"), *(Cell(f"{number}.25", number == 1) for number in range(columns))]], "Title"
    )
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 100
    assert sum(line.count("Title") for line in lines) == 1
    assert all(any(f"case {number}, seed 1" in line for line in lines) for number in range(columns))
    assert all(any(f"{number}.25" in line for line in lines) for number in range(columns))


def test_a_card_is_told_in_lines() -> None:
    card = {"steps": 5, "evaluation": {"n": 3, "figures": {"frechet": 1.23456, "kid": None}}, "notes": []}
    assert printing.flatten(card) == {
        "steps": "5",
        "evaluation.n": "3",
        "evaluation.figures.frechet": "1.235",
        "evaluation.figures.kid": "None",
        "notes": "[]",
    }


@pytest.mark.parametrize(("name", "format_"), [("a.JPG", "jpeg"), ("a.jpeg", "jpeg"), ("a.webp", "webp"), ("-", "png"),
                                               ("a", "png"), ("b.c.png", "png")])  # fmt: skip
def test_an_ending_is_what_is_written(name: str, format_: str) -> None:
    assert value_by_ending(Path(name), TRANSLATED_FORMATS) == format_


@pytest.mark.parametrize(
    ("name", "formats"), [("a.tif", TRANSLATED_FORMATS), ("a.npy", TRANSLATED_FORMATS), ("a.jpg", PNG_ONLY)]
)
def test_any_other_ending_is_refused(name: str, formats: Mapping[str, str]) -> None:
    with pytest.raises(Refusal, match=r"end the name in \.png"):
        value_by_ending(Path(name), formats)
