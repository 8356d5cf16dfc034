"""Comma-separated values that a spreadsheet takes for words and numbers, whatever a client has called things."""

import csv
import io
from collections.abc import Iterable, Sequence

LABEL_COLUMNS = ("file", "label", "class", "index")
"""columns of the table beside pictures that a job made; a class is marked as all words are"""
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""what a spreadsheet reads as a formula, or skips before one"""
_ESCAPE = "'"


def to_csv(head: Sequence[str], rows: Iterable[Iterable[object]]) -> str:
    """A line for each row. Words that a spreadsheet would compute have an apostrophe before them: see `unescape`."""
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\r\n")  # as RFC 4180 has it; with "\n" alone a "\r" would not be quoted
    table.writerow(head)
    table.writerows([_escape(cell) if isinstance(cell, str) else cell for cell in row] for row in rows)
    return out.getvalue()


def unescape(cell: str) -> str:
    """The words that were written, without the apostrophe before them."""
    return cell.removeprefix(_ESCAPE)


def _escape(words: str) -> str:
    """Words with an apostrophe of their own have one more, so that taking one off gives back all words."""
    return f"{_ESCAPE}{words}" if words.startswith((*_FORMULA_STARTS, _ESCAPE)) else words
