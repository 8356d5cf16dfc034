"""Cells of words are never computed, and come back as they were."""

import csv
import io

from hypothesis import given
from hypothesis import strategies as st

from data import csv_text

WORDS = st.text(alphabet=st.sampled_from("=+-@\t\r\n＝'\",a1;"), max_size=4)


@given(st.lists(WORDS, min_size=1, max_size=5))
def test_words_come_back_and_begin_like_no_formula(words: list[str]) -> None:
    table = csv_text.to_csv(["name"], [[one] for one in words])
    cells = [row[0] if row else "" for row in csv.reader(io.StringIO(table, newline=""))][1:]
    assert [csv_text.unescape(cell) for cell in cells] == words
    assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n", "＝")) for cell in cells)


def test_numbers_stay_numbers() -> None:
    assert csv_text.to_csv(["a", "b"], [[-1.5, None]]) == "a,b\r\n-1.5,\r\n"
