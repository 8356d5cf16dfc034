"""Comma-separated values that a spreadsheet takes for words and numbers, whatever a client has called things."""

import csv
import io
from collections.abc import Iterable, Sequence

LABELLED = ("file", "label", "class", "index")
"""columns of the table beside pictures that a job made; a class is marked as all words are"""
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""what a spreadsheet reads as a formula, or skips before one"""
_MARK = "'"


def text(head: Sequence[str], rows: Iterable[Iterable[object]]) -> str:
    """A line for each row. Words that a spreadsheet would compute have an apostrophe before them: see `unmarked`."""
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\r\n")  # as RFC 4180 has it; with "\n" alone a "\r" would not be quoted
    table.writerow(head)
    table.writerows([_marked(cell) if isinstance(cell, str) else cell for cell in row] for row in rows)
    return out.getvalue()


def unmarked(cell: str) -> str:
    """The words that were written, without the apostrophe before them."""
    return cell.removeprefix(_MARK)


def _marked(words: str) -> str:
    """Words with an apostrophe of their own have one more, so that taking one off gives back all words."""
    return f"{_MARK}{words}" if words.startswith((*_FORMULA, _MARK)) else words
