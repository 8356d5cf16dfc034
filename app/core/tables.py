"""Encode tables for other programs: CSV as text, Parquet with a type for each column."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from data import csv_text
from forger.wire import TableFormat

MEDIA_TYPES: Mapping[str, TableFormat] = {"text/csv": "csv", "application/vnd.apache.parquet": "parquet"}

ColumnType = type[str] | type[int] | type[float] | type[bool]


@dataclass(frozen=True, slots=True)
class Table:
    """A table: `columns` maps names to the type of their values; None in a row means no value."""

    columns: Mapping[str, ColumnType]
    rows: Sequence[Sequence[object]]


def encode(table: Table, format_: TableFormat) -> bytes:
    match format_:
        case "csv":
            return csv_text.to_csv(list(table.columns), (map(_csv_value, row) for row in table.rows)).encode()
        case "parquet":
            return _parquet(table)


def _csv_value(value: object) -> object:
    """Return `yes` for True and nothing for False; other values as they are."""
    return ("yes" if value else "") if isinstance(value, bool) else value


def _parquet(table: Table) -> bytes:
    # Imported here because it is slow and rarely needed.
    import arro3.core as arrow
    import arro3.io

    types = {
        str: arrow.DataType.utf8(),
        int: arrow.DataType.int64(),
        float: arrow.DataType.float64(),
        bool: arrow.DataType.bool(),
    }
    # Any: from_pydict accepts arro3's arrays, but its annotation does not say so.
    arrays: dict[str, Any] = {
        name: arrow.Array([row[index] for row in table.rows], type=types[column_type])
        for index, (name, column_type) in enumerate(table.columns.items())
    }
    out = io.BytesIO()
    arro3.io.write_parquet(arrow.Table.from_pydict(arrays), out, compression="zstd(3)", created_by="forger")
    return out.getvalue()
