"""Recognise train, validation and test folders by their names, at any depth."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from data.uploads.members import Parts, Rooted, refused

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
"""examples: train, Training Set, train_images, val2017, trainA, test-B, A_train"""


@dataclass(frozen=True)
class FolderMeaning:
    """The meaning of a folder's name: a split, and perhaps its domain ('A' or 'B')."""

    split: Split
    pile: str | None


def meaning_of(folder: str) -> FolderMeaning | None:
    """Return the meaning of a folder's name; None if it names no split."""
    word = _BETWEEN.sub("", folder.casefold())
    if match := _AFTER.fullmatch(word):
        return FolderMeaning(_BY_WORD[match[1]], match[4] and match[4].upper())
    if match := _BEFORE.fullmatch(word):
        return FolderMeaning(_BY_WORD[match[2]], match[1].upper())
    return None


def by_split(rooted: Rooted, *, classes: bool = False) -> dict[Split, dict[str, Parts]]:
    """Group members by split, without the split's folder in their paths. Members without a split are for training.

    With `classes` an ambiguous folder is a class. Raises Refused if all pictures are held out, or if a member could
    belong to no split or to any.
    """
    members: dict[Split, dict[str, Parts]] = {"train": {}, "val": {}, "test": {}}
    places = _places(rooted, classes)
    for name, parts in rooted.items():
        split, rest = _split_of(parts, places)
        members[split][name] = rest
    if not members["train"] and rooted:
        there = " and ".join(split for split, held_out in members.items() if held_out)
        raise refused(
            f"Its folders say that all pictures are held out ({there}): nothing is left to train on. "
            "Add a folder 'train', or rename these."
        )
    return members


def _split_of(parts: Parts, places: Mapping[Parts, Mapping[str, FolderMeaning]]) -> tuple[Split, Parts]:
    for depth, folder in enumerate(parts[:-1]):
        if meaning := places.get(parts[:depth], {}).get(folder):
            domain = () if meaning.pile is None else (meaning.pile,)
            return meaning.split, (*parts[:depth], *domain, *parts[depth + 1 :])
    return "train", parts


def _places(rooted: Rooted, classes: bool) -> dict[Parts, dict[str, FolderMeaning]]:
    """Return for each folder those of its subfolders that are splits."""
    inside: dict[Parts, set[str]] = {}
    for parts in rooted.values():
        for depth in range(len(parts)):
            inside.setdefault(parts[:depth], set()).add(parts[depth] if depth < len(parts) - 1 else "")
    return {place: splits for place in inside if (splits := _splits(place, inside, classes))}


def _splits(place: Parts, inside: Mapping[Parts, set[str]], classes: bool) -> dict[str, FolderMeaning]:
    """Return the subfolders that are splits, judged by their neighbours.

    'train' beside 'car' and 'ship' is a class, and so is 'valid' beside 'invalid'. `inside` holds the subfolders of
    each place, '' for files.
    """
    splits = {folder: meaning for folder in inside[place] if folder and (meaning := meaning_of(folder))}
    others = sorted(inside[place] - splits.keys())
    kinds = {meaning.split for meaning in splits.values()}
    if not splits or (kinds == {"train"} and others) or any(folder.casefold() == "invalid" for folder in others):
        return {}
    named = ", ".join(f"'{folder[:80]}'" for folder in sorted(splits))
    if "train" in kinds and others:
        raise refused(f"{_named(others, place)} beside {named}. Move it into one of these, or remove it.")
    if others in ([], [""]) or all(inside[*place, folder] & set(others) for folder in splits):
        return splits
    if classes:
        return {}
    raise refused(
        f"{named} may be held out, or may be a class like '{others[-1][:80]}'. Put the training pictures into a folder "
        "'train' beside it, rename it, or send layout=classes."
    )


def _named(others: list[str], place: Parts) -> str:
    where = f" in '{'/'.join(place)[:80]}'" if place else ""
    return (f"The folder '{others[-1][:80]}'" if others[-1] else "A picture without a split") + f"{where} lies"
