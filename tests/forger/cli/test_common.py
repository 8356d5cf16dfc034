"""Short ids, tables that fit the line, and file endings: the parts of the commands that need no service."""

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


@pytest.mark.parametrize(("word", "index"), [("last", 0), (IDS[1], 1), ("job_02", 2), ("029", 2), (IDS[0][-20:], 0)])
def test_id_may_be_shortened_at_either_end(word: str, index: int) -> None:
    assert common.match_id(word, IDS, "job", "forger jobs") == IDS[index]


def test_ambiguous_short_id_is_refused_with_the_candidates() -> None:
    with pytest.raises(Refusal, match="may be 2 jobs") as refused:
        common.match_id("019", IDS, "job", "forger jobs")
    assert all(id_ in str(refused.value) for id_ in IDS[:2])
    assert IDS[2] not in str(refused.value)
    many = [f"exp_{number:032x}" for number in range(40)]
    with pytest.raises(Refusal, match="and 35 more"):
        common.match_id("exp_000", many, "experiment", "forger experiments")


@pytest.mark.parametrize("word", ["", "zz", "exp_019", "job_"])
def test_id_that_matches_nothing_is_refused(word: str) -> None:
    with pytest.raises(Refusal, match="`forger jobs` lists them"):
        common.match_id(word, IDS, "job", "forger jobs")


def test_short_ids_are_as_long_as_needed_to_be_unique() -> None:
    alike = ["job_" + "1" * 24 + "00000000", "job_" + "1" * 23 + "200000000"]
    assert set(common.short_ids(["job_" + "0" * 32]).values()) == {"0" * 8}
    assert sorted(map(len, common.short_ids(alike).values())) == [9, 9]
    assert common.short_ids([]) == {}


@pytest.mark.parametrize("seed", range(20))
def test_piped_tables_fit_100_columns_and_lose_nothing(seed: int, capsys: pytest.CaptureFixture[str]) -> None:
    rng = random.Random(seed)
    columns, rows = rng.randint(1, 8), rng.randint(0, 4)
    cells = [["x" * rng.choice((1, 8, 36, 90, 300)) for _ in range(columns)] for _ in range(rows)]
    printing.print_table([f"H{number}" for number in range(columns)], cells)
    output = capsys.readouterr().out
    assert max(map(len, output.splitlines())) <= 100
    assert output.count("x") == sum(len(cell) for row in cells for cell in row)


@pytest.mark.parametrize("kind", ["converged_but_fails", "critic_saturated", "undertrained", "collapse"])
def test_words_are_not_split_in_narrow_tables(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    head = ("ID", "KIND", "FAMILY", "DATASET", "STATE", "HEALTH", "STEP", "MODEL", "CREATED")
    row = ("aaaa1111", "train", "cyclegan", "photographs-of-day", "succeeded", kind, "1200000 of 1200000",
           "cyclegan-photographs-of-day@12", "2026-11-29 04:10:22")  # fmt: skip
    printing.print_table(head, [row])
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 100
    assert any(kind in line.split() for line in lines)
    assert any("succeeded" in line.split() for line in lines)


@pytest.mark.parametrize("columns", [1, 3, 17])
def test_wide_tables_are_split_between_columns(columns: int, capsys: pytest.CaptureFixture[str]) -> None:
    head = ["FIGURE", *(f"case {number}, seed 1" for number in range(columns))]
    printing.print_marked_table(
        head, [[Cell("frechet"), *(Cell(f"{number}.25", number == 1) for number in range(columns))]], "Title"
    )
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 100
    assert sum(line.count("Title") for line in lines) == 1
    assert all(any(f"case {number}, seed 1" in line for line in lines) for number in range(columns))
    assert all(any(f"{number}.25" in line for line in lines) for number in range(columns))


def test_nested_card_is_flattened_to_dotted_names() -> None:
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
def test_file_ending_chooses_the_format(name: str, format_: str) -> None:
    assert value_by_ending(Path(name), TRANSLATED_FORMATS) == format_


@pytest.mark.parametrize(
    ("name", "formats"), [("a.tif", TRANSLATED_FORMATS), ("a.npy", TRANSLATED_FORMATS), ("a.jpg", PNG_ONLY)]
)
def test_unknown_file_ending_is_refused(name: str, formats: Mapping[str, str]) -> None:
    with pytest.raises(Refusal, match=r"end the name in \.png"):
        value_by_ending(Path(name), formats)
