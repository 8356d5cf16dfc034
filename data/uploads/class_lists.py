"""Read classes from a file instead of folders: StyleGAN's dataset.json, or a CSV of files and labels."""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from data import csv_text
from data.uploads.members import Parts, Rooted, suffix
from data.uploads.read_untrusted import parts_of
from data.uploads.zip_names import natural_key

FILE_COLUMNS = ("file", "file_name", "filename", "path", "image", "image_path", "image_name", "name")
LABEL_COLUMNS = ("label", "class", "class_name", "label_name", "category", "target")
"""possible column names; the first one present is used"""


@dataclass(frozen=True)
class ClassList:
    """The class of each member, and all classes in order, () for none; `source` is the table's path."""

    source: str
    classes: tuple[str, ...]
    of: Mapping[str, str]


@dataclass(frozen=True)
class UnusedTables:
    """Tables without classes, with a note on the reason."""

    note: str


def read(tables: Mapping[str, Any], places: Rooted, pictures: Rooted) -> ClassList | UnusedTables | None:
    """Read the classes of the pictures from tables; `tables` holds rows by member, `places` the tables' paths."""
    of: dict[str, str] = {}
    ranks: dict[str, Any] = {}
    notes = []
    used = ""
    for name in sorted(tables):
        path = "/".join(places[name])
        rows = _rows(tables[name])
        if isinstance(rows, str):
            notes.append(f"'{path[:80]}' says no classes: {rows}")
            continue
        used = used or path
        by_path = _by_path(pictures, places[name][:-1])
        if rows is None:
            return ClassList(path, (), {})
        for file, label, rank in rows:
            for member in by_path.get(_key(file), ()) if label else ():
                of[member] = unicodedata.normalize("NFC", label)
                ranks[of[member]] = rank
    if not of:
        return UnusedTables(" ".join(notes)) if notes else None
    return ClassList(used, tuple(sorted(ranks, key=lambda label: (ranks[label], natural_key(label)))), of)


def _rows(table: Any) -> list[tuple[str, str, float]] | str | None:
    """Return rows (file, class, rank of the class).

    Return a sentence for a table that cannot be used, and None for one that says that the data have no classes.
    """
    if isinstance(table, str):
        return table
    if isinstance(table, Mapping):
        if table["labels"] is None:
            return None
        return [(str(file), str(label), label) for file, label in table["labels"]]
    head = [_folded(column) for column in table[0]] if table else []
    file = _column(head, FILE_COLUMNS)
    label = _column(head, LABEL_COLUMNS)
    if file is None or label is None:
        return "it has no column of files (file, file_name) beside one of classes (label, class)."
    rows = [row for row in table[1:] if len(row) == len(head)]
    named = _column(head, ("class", "class_name", "label_name"))
    numbers = all(row[label].strip().isdecimal() for row in rows)
    if numbers and named is not None:
        read = csv_text.unescape if tuple(head) == csv_text.LABEL_COLUMNS else str.strip
        return [(row[file], read(row[named]), int(row[label])) for row in rows]
    return [(row[file], row[label].strip(), int(row[label]) if numbers else 0) for row in rows]


def _column(head: Sequence[str], wanted: Sequence[str]) -> int | None:
    return next((head.index(name) for name in wanted if name in head), None)


def _by_path(pictures: Rooted, folder: Parts) -> dict[Parts, list[str]]:
    """Return the pictures below a folder by relative path, with and without the suffix."""
    by_path: dict[Parts, list[str]] = {}
    for name, parts in pictures.items():
        if parts[: len(folder)] == folder:
            rest = parts[len(folder) :]
            bare = rest[-1][: -len(suffix(rest[-1])) or None]
            for key in {rest, (*rest[:-1], bare)}:
                by_path.setdefault(key, []).append(name)
    return by_path


def _key(file: str) -> Parts:
    return parts_of(unicodedata.normalize("NFC", file.strip()))


def _folded(column: str) -> str:
    return column.strip().lstrip("\ufeff").casefold().replace(" ", "_")
