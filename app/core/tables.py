"""Tables as files that other programs read: CSV as text, Parquet with a type for each column."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from data import csv_text
from forger.wire import TableFormat

MEDIA: Mapping[str, TableFormat] = {"text/csv": "csv", "application/vnd.apache.parquet": "parquet"}

Kind = type[str] | type[int] | type[float] | type[bool]


@dataclass(frozen=True, slots=True)
class Table:
    """`columns` are names with the type of their values. None, in any column, stands for no value."""

    columns: Mapping[str, Kind]
    rows: Sequence[Sequence[object]]


def encode(table: Table, format_: TableFormat) -> bytes:
    match format_:
        case "csv":
            return csv_text.to_csv(list(table.columns), (map(_plain, row) for row in table.rows)).encode()
        case "parquet":
            return _parquet(table)


def _plain(value: object) -> object:
    """`yes` or nothing for what is true or false."""
    return ("yes" if value else "") if isinstance(value, bool) else value


def _parquet(table: Table) -> bytes:
    import arro3.core as arrow  # slow to import, and few ask for it
    import arro3.io

    types = {
        str: arrow.DataType.utf8(),
        int: arrow.DataType.int64(),
        float: arrow.DataType.float64(),
        bool: arrow.DataType.bool(),
    }
    arrays: dict[str, Any] = {  # arro3 takes its own arrays, its types say so of mappings only
        name: arrow.Array([row[place] for row in table.rows], type=types[kind])
        for place, (name, kind) in enumerate(table.columns.items())
    }
    out = io.BytesIO()
    arro3.io.write_parquet(arrow.Table.from_pydict(arrays), out, compression="zstd(3)", created_by="forger")
    return out.getvalue()
