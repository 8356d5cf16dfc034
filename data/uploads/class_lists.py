"""Read the classes of pictures from a table: StyleGAN's dataset.json, or a CSV of files and labels."""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from data import csv_text
from data.uploads.members import MemberPaths, Parts, suffix
from data.uploads.read_untrusted import parts_of
from data.uploads.zip_names import natural_key

FILE_COLUMNS = ("file", "file_name", "filename", "path", "image", "image_path", "image_name", "name")
LABEL_COLUMNS = ("label", "class", "class_name", "label_name", "category", "target")
"""possible column names; the first one present is used"""


@dataclass(frozen=True)
class ClassList:
    """The class of each member, and all classes in order; `source` is the path of their table.

    Without classes the table says that the pictures have none, whatever their folders are.
    """

    source: str
    classes: tuple[str, ...]
    class_of: Mapping[str, str]


@dataclass(frozen=True)
class UnusedTables:
    """The result for tables that cannot be used; `note` says why."""

    note: str


def read(tables: Mapping[str, Any], table_paths: MemberPaths, pictures: MemberPaths) -> ClassList | UnusedTables | None:
    """Read the classes of the pictures from all tables; `tables` holds their contents, `table_paths` their paths.

    A dataset.json with `"labels": null` says that the pictures have no classes; classes of another table count all the
    same. Return None if there is no table, or none that names a picture.
    """
    class_of: dict[str, str] = {}
    ranks: dict[str, Any] = {}
    notes = []
    source, without_classes = "", ""
    for name in sorted(tables):
        path = "/".join(table_paths[name])
        rows = _rows(tables[name])
        if isinstance(rows, str):
            notes.append(f"'{path[:80]}' says no classes: {rows}")
            continue
        if rows is None:
            without_classes = without_classes or path
            continue
        source = source or path
        by_path = _by_path(pictures, table_paths[name][:-1])
        for file, label, rank in rows:
            for member in by_path.get(_key(file), ()) if label else ():
                class_of[member] = unicodedata.normalize("NFC", label)
                ranks[class_of[member]] = rank
    if not class_of and without_classes:
        return ClassList(without_classes, (), {})
    if not class_of:
        return UnusedTables(" ".join(notes)) if notes else None
    return ClassList(source, tuple(sorted(ranks, key=lambda label: (ranks[label], natural_key(label)))), class_of)


def _rows(table: Any) -> list[tuple[str, str, float]] | str | None:
    """Return a table's rows: file, class, and a number by which classes are ordered.

    Return a sentence for a table that cannot be used, and None for one that says that the pictures have no classes.
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
    name_column = _column(head, ("class", "class_name", "label_name"))
    numbers = all(row[label].strip().isdecimal() for row in rows)
    if numbers and name_column is not None:
        read = csv_text.unescape if tuple(head) == csv_text.LABEL_COLUMNS else str.strip
        return [(row[file], read(row[name_column]), int(row[label])) for row in rows]
    return [(row[file], row[label].strip(), int(row[label]) if numbers else 0) for row in rows]


def _column(head: Sequence[str], candidates: Sequence[str]) -> int | None:
    return next((head.index(name) for name in candidates if name in head), None)


def _by_path(pictures: MemberPaths, folder: Parts) -> dict[Parts, list[str]]:
    """Return the pictures in a folder by their paths from there, with and without the suffix."""
    by_path: dict[Parts, list[str]] = {}
    for name, parts in pictures.items():
        if parts[: len(folder)] == folder:
            relative = parts[len(folder) :]
            without_suffix = relative[-1][: -len(suffix(relative[-1])) or None]
            for key in {relative, (*relative[:-1], without_suffix)}:
                by_path.setdefault(key, []).append(name)
    return by_path


def _key(file: str) -> Parts:
    return parts_of(unicodedata.normalize("NFC", file.strip()))


def _folded(column: str) -> str:
    return column.strip().lstrip("\ufeff").casefold().replace(" ", "_")
