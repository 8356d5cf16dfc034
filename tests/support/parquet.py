"""Reading Parquet files back."""

import io
from typing import Any

import arro3.io


def columns(data: bytes) -> dict[str, list[Any]]:
    """Return each column's values by its name."""
    table = arro3.io.read_parquet(io.BytesIO(data)).read_all()
    return {name: list(table.column(name).to_pylist()) for name in table.column_names}
