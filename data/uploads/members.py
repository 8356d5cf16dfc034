"""Sort an archive's members by name into pictures, unread formats, tables and litter."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from data.decode import SUFFIXES, UNREAD_SUFFIXES
from data.errors import Refused
from data.uploads.read_untrusted import parts_of
from data.uploads.zip_names import natural_key

Parts = tuple[str, ...]
MemberPaths = dict[str, Parts]
"""by a member's name in the zip, its folders and file name; the file name of an empty folder is ''"""
TABLES = ("labels.csv", "metadata.csv", "dataset.json")
"""files that may list the classes of pictures"""
_ARCHIVES = frozenset((".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar", ".zst"))
_LITTER = frozenset((
    "__macosx", "thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r", "@eadir", "#recycle", "$recycle.bin", "lost+found",
    "system volume information",
))  # fmt: skip


@dataclass(frozen=True)
class Listing:
    """A zip's files (decoded paths in NFC, by their names in the zip), and its folders.

    `guessed` is the encoding that was guessed for names that do not state theirs, or None.
    """

    files: Mapping[str, str]
    folders: Sequence[str] = ()
    guessed: str | None = None


@dataclass(frozen=True)
class SortedMembers:
    """Members by kind. `unread` are pictures of formats that are not decoded, `empty` are folders without a file."""

    pictures: MemberPaths
    unread: MemberPaths
    empty: MemberPaths
    tables: MemberPaths
    ignored: MemberPaths


def sort_members(listing: Listing) -> SortedMembers:
    """Sort the members by kind. Raises Refused for an archive among them, or if there are no pictures."""
    kinds: dict[str, dict[str, Parts]] = {"picture": {}, "unread": {}, "table": {}, "ignored": {}}
    filled = set[Parts]()
    for name, path in listing.files.items():
        parts = parts_of(path)
        kind = "ignored" if is_litter(parts) else _kind(parts[-1])
        if kind == "archive":
            raise refusal(f"'{path[:80]}' is an archive inside the archive. Unpack it and zip the pictures themselves.")
        kinds[kind][name] = parts
        if not is_litter(parts):
            filled.update(parts[:depth] for depth in range(len(parts)))
    if not kinds["picture"]:
        raise _no_pictures(kinds["unread"])
    empty = _empty(listing.folders, filled)
    return SortedMembers(kinds["picture"], kinds["unread"], empty, kinds["table"], kinds["ignored"])


def is_litter(parts: Parts) -> bool:
    """Return whether a member is hidden, or written by an operating system or a tool, at any depth."""
    return any(part.startswith((".", "~$")) or part.casefold() in _LITTER for part in parts)


def suffix(name: str) -> str:
    """Return the suffix in lower case, with its dot."""
    dot = name.rfind(".")
    return name[dot:].casefold() if dot > 0 else ""


def count_by_format(unread: MemberPaths) -> str:
    """Count pictures by format: '3 HEIC and 1 TGA pictures'."""
    kinds = [suffix(parts[-1])[1:].upper() for parts in unread.values()]
    counts = [f"{kinds.count(kind)} {kind}" for kind in sorted(set(kinds))]
    return f"{' and '.join(counts)} picture{'s' if len(kinds) > 1 else ''}"


def refusal(sentence: str, code: str = "unclear_layout", pointer: str = "/file") -> Refused:
    """Return the error of an archive whose layout is unclear, or another error with this code."""
    return Refused(sentence, code, pointer)


def _kind(name: str) -> str:
    name_suffix = suffix(name)
    if name.casefold() in TABLES:
        return "table"
    if name_suffix in _ARCHIVES:
        return "archive"
    return "picture" if name_suffix in SUFFIXES else "unread" if name_suffix in UNREAD_SUFFIXES else "ignored"


def _empty(folders: Sequence[str], filled: set[Parts]) -> dict[str, Parts]:
    """Return the innermost empty folders."""
    all_folders = {parts_of(folder) for folder in folders}
    parents = {parts[:depth] for parts in all_folders for depth in range(len(parts))}
    empty = sorted(all_folders - filled - parents)
    return {"/".join(parts) + "/": (*parts, "") for parts in empty if parts and not is_litter(parts)}


def _no_pictures(unread: MemberPaths) -> Refused:
    endings = ", ".join(sorted(SUFFIXES))
    if unread:
        sentence = f"The zip holds no pictures that can be read here, but {count_by_format(unread)}. Send {endings}."
    else:
        sentence = f"The zip holds no pictures: no member's name ends in {endings}."
    return refusal(sentence, "no_pictures")


def in_order(names: Mapping[str, Parts]) -> tuple[str, ...]:
    """Return members in the natural order of their paths."""
    return tuple(sorted(names, key=lambda name: (natural_key("/".join(names[name])), name)))
