"""Write CSV that a spreadsheet reads as text and numbers, never as formulas."""

import csv
import io
from collections.abc import Iterable, Sequence

LABEL_COLUMNS = ("file", "label", "class", "index")
"""columns of the table that lists the pictures of a job of kind generate"""
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""starts of text that a spreadsheet reads as a formula, or skips before one"""
_ESCAPE = "'"


def to_csv(head: Sequence[str], rows: Iterable[Iterable[object]]) -> str:
    """Return the table as CSV. Text that a spreadsheet would compute gets an apostrophe in front: see `unescape`."""
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\r\n")  # as in RFC 4180; with "\n" alone a "\r" would not be quoted
    table.writerow(head)
    table.writerows([_escape(cell) if isinstance(cell, str) else cell for cell in row] for row in rows)
    return out.getvalue()


def unescape(cell: str) -> str:
    """Return a cell's original text, without the apostrophe in front."""
    return cell.removeprefix(_ESCAPE)


def _escape(words: str) -> str:
    """Put an apostrophe in front of a formula, and of text that begins with one, so that `unescape` restores both."""
    return f"{_ESCAPE}{words}" if words.startswith((*_FORMULA_STARTS, _ESCAPE)) else words
