"""Recognise train, validation and test folders by their names, at any depth."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from data.uploads.members import MemberPaths, Parts, refusal

Split = Literal["train", "val", "test"]
_BY_WORD: dict[str, Split] = {
    **dict.fromkeys(("train", "training", "trn"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "val"),
    **dict.fromkeys(("test", "testing", "tst", "eval", "evaluation", "holdout", "heldout"), "test"),
}
_WORDS = "|".join(sorted(_BY_WORD, key=len, reverse=True))
_CONTENT_WORDS = "set|split|data|images|imgs|img|pictures|photos"
_AFTER = re.compile(rf"({_WORDS})({_CONTENT_WORDS})?(\d{{4}})?([ab])?")
_BEFORE = re.compile(rf"([ab])({_WORDS})")
_BETWEEN = re.compile(r"[\s._-]+")
"""separators in names of folders such as train, Training Set, train_images, val2017, trainA, test-B, A_train"""


@dataclass(frozen=True)
class FolderMeaning:
    """The meaning of a folder's name: a split, and the domain 'A' or 'B' if the name has one."""

    split: Split
    domain: str | None


def meaning_of(folder: str) -> FolderMeaning | None:
    """Return the meaning of a folder's name; None if it names no split."""
    word = _BETWEEN.sub("", folder.casefold())
    if match := _AFTER.fullmatch(word):
        return FolderMeaning(_BY_WORD[match[1]], match[4] and match[4].upper())
    if match := _BEFORE.fullmatch(word):
        return FolderMeaning(_BY_WORD[match[2]], match[1].upper())
    return None


def by_split(paths: MemberPaths, *, classes: bool = False) -> dict[Split, dict[str, Parts]]:
    """Group members by split, without the split's folder in their paths. Members without a split are for training.

    With `classes` an ambiguous folder is a class. Raises Refused if all pictures are held out, or if a member's split
    is ambiguous.
    """
    members: dict[Split, dict[str, Parts]] = {"train": {}, "val": {}, "test": {}}
    split_folders = _split_folders(paths, classes)
    for name, parts in paths.items():
        split, remaining = _split_of(parts, split_folders)
        members[split][name] = remaining
    if not members["train"] and paths:
        held_out_names = " and ".join(split for split, held_out in members.items() if held_out)
        raise refusal(
            f"Its folders say that all pictures are held out ({held_out_names}): nothing is left to train on. "
            "Add a folder 'train', or rename these."
        )
    return members


def _split_of(parts: Parts, split_folders: Mapping[Parts, Mapping[str, FolderMeaning]]) -> tuple[Split, Parts]:
    for depth, folder in enumerate(parts[:-1]):
        if meaning := split_folders.get(parts[:depth], {}).get(folder):
            domain = () if meaning.domain is None else (meaning.domain,)
            return meaning.split, (*parts[:depth], *domain, *parts[depth + 1 :])
    return "train", parts


def _split_folders(paths: MemberPaths, classes: bool) -> dict[Parts, dict[str, FolderMeaning]]:
    """Return by folder the meaning of those of its subfolders that are splits."""
    entries: dict[Parts, set[str]] = {}
    for parts in paths.values():
        for depth in range(len(parts)):
            entries.setdefault(parts[:depth], set()).add(parts[depth] if depth < len(parts) - 1 else "")
    return {parent: splits for parent in entries if (splits := _splits(parent, entries, classes))}


def _splits(parent: Parts, entries: Mapping[Parts, set[str]], classes: bool) -> dict[str, FolderMeaning]:
    """Return the subfolders of `parent` that are splits, judged by the folders beside them.

    'train' beside 'car' and 'ship' is a class, and so is 'valid' beside 'invalid'. `entries` holds the subfolders of
    each folder, and '' if it has files.
    """
    splits = {folder: meaning for folder in entries[parent] if folder and (meaning := meaning_of(folder))}
    others = sorted(entries[parent] - splits.keys())
    kinds = {meaning.split for meaning in splits.values()}
    if not splits or (kinds == {"train"} and others) or any(folder.casefold() == "invalid" for folder in others):
        return {}
    names = ", ".join(f"'{folder[:80]}'" for folder in sorted(splits))
    if "train" in kinds and others:
        raise refusal(f"{_description(others, parent)} beside {names}. Move it into one of these, or remove it.")
    if others in ([], [""]) or all(entries[*parent, folder] & set(others) for folder in splits):
        return splits
    if classes:
        return {}
    raise refusal(
        f"{names} may be held out, or may be a class like '{others[-1][:80]}'. Put the training pictures into a folder "
        "'train' beside it, rename it, or send layout=classes."
    )


def _description(others: list[str], parent: Parts) -> str:
    where = f" in '{'/'.join(parent)[:80]}'" if parent else ""
    return (f"The folder '{others[-1][:80]}'" if others[-1] else "A picture without a split") + f"{where} lies"
