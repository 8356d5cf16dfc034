"""Text cells of CSV files are never read as formulas by a spreadsheet, and unescape to the same text."""

import csv
import io

from hypothesis import given
from hypothesis import strategies as st

from data import csv_text

TEXTS = st.text(alphabet=st.sampled_from("=+-@\t\r\n＝'\",a1;"), max_size=4)


@given(st.lists(TEXTS, min_size=1, max_size=5))
def test_text_cells_round_trip_and_never_begin_like_a_formula(texts: list[str]) -> None:
    table = csv_text.to_csv(["name"], [[text] for text in texts])
    cells = [row[0] if row else "" for row in csv.reader(io.StringIO(table, newline=""))][1:]
    assert [csv_text.unescape(cell) for cell in cells] == texts
    assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n", "＝")) for cell in cells)


def test_numbers_are_written_as_numbers_and_none_as_an_empty_cell() -> None:
    assert csv_text.to_csv(["a", "b"], [[-1.5, None]]) == "a,b\r\n-1.5,\r\n"
