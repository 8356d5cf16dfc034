"""Tables encoded as CSV and as Parquet."""

import csv
import io

from app.core.tables import Table, encode
from tests.support.parquet import columns

TABLE = Table(
    {"word": str, "number": int, "value": float, "flag": bool},
    [("=1+1", 3, 0.1, True), ('ü, "x"\n', -(2**40), None, False), (None, 0, 1e-300, None)],
)


def test_parquet_keeps_types_and_exact_values() -> None:
    packed = encode(TABLE, "parquet")
    assert (packed[:4], packed[-4:]) == (b"PAR1", b"PAR1")
    assert columns(packed) == {
        "word": ["=1+1", 'ü, "x"\n', None],
        "number": [3, -(2**40), 0],
        "value": [0.1, None, 1e-300],
        "flag": [True, False, None],
    }


def test_csv_escapes_formulas() -> None:
    head, *lines = csv.reader(io.StringIO(encode(TABLE, "csv").decode(), newline=""))
    assert head == ["word", "number", "value", "flag"]
    assert lines == [["'=1+1", "3", "0.1", "yes"], ['ü, "x"\n', str(-(2**40)), "", ""], ["", "0", "1e-300", ""]]


def test_empty_table_keeps_its_columns() -> None:
    empty = Table(TABLE.columns, [])
    assert columns(encode(empty, "parquet")) == {name: [] for name in TABLE.columns}
    assert encode(empty, "csv") == b"word,number,value,flag\r\n"
