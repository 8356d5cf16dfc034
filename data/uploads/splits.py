"""Recognise train and test folders by their names, at any depth."""

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
"""train, Training Set, train_images, val2017, trainA, test-B, A_train"""


@dataclass(frozen=True)
class FolderMeaning:
    """What a folder's name says: a split, and perhaps the pile ('A' or 'B') of which it is one."""

    split: Split
    pile: str | None


def meaning_of(folder: str) -> FolderMeaning | None:
    """None where a folder is no split by its name."""
    bare = _BETWEEN.sub("", folder.casefold())
    if found := _AFTER.fullmatch(bare):
        return FolderMeaning(_BY_WORD[found[1]], found[4] and found[4].upper())
    if found := _BEFORE.fullmatch(bare):
        return FolderMeaning(_BY_WORD[found[2]], found[1].upper())
    return None


def by_split(rooted: Rooted, *, classes: bool = False) -> dict[Split, dict[str, Parts]]:
    """Members by split, without the folder that said so. What no folder says anything of is for training.

    With `classes` folders are meant as classes where both can be. Raises Refused where only held-out pictures are
    there, or what could belong to no split or to any.
    """
    found: dict[Split, dict[str, Parts]] = {"train": {}, "val": {}, "test": {}}
    places = _places(rooted, classes)
    for name, parts in rooted.items():
        split, rest = _split_of(parts, places)
        found[split][name] = rest
    if not found["train"] and rooted:
        there = " and ".join(split for split, members in found.items() if members)
        raise refused(
            f"Its folders say that all pictures are held out ({there}): nothing is left to train on. "
            "Add a folder 'train', or rename these."
        )
    return found


def _split_of(parts: Parts, places: Mapping[Parts, Mapping[str, FolderMeaning]]) -> tuple[Split, Parts]:
    for depth, folder in enumerate(parts[:-1]):
        if said := places.get(parts[:depth], {}).get(folder):
            pile = () if said.pile is None else (said.pile,)
            return said.split, (*parts[:depth], *pile, *parts[depth + 1 :])
    return "train", parts


def _places(rooted: Rooted, classes: bool) -> dict[Parts, dict[str, FolderMeaning]]:
    """Of each folder those of its folders that are splits."""
    inside: dict[Parts, set[str]] = {}
    for parts in rooted.values():
        for depth in range(len(parts)):
            inside.setdefault(parts[:depth], set()).add(parts[depth] if depth < len(parts) - 1 else "")
    return {place: splits for place in inside if (splits := _splits(place, inside, classes))}


def _splits(place: Parts, inside: Mapping[Parts, set[str]], classes: bool) -> dict[str, FolderMeaning]:
    """Neighbours decide: a train among cars and ships is a class, and so is what is valid beside what is invalid.

    `inside` names the folders of each place, '' standing for files.
    """
    said = {folder: words for folder in inside[place] if folder and (words := meaning_of(folder))}
    others = sorted(inside[place] - said.keys())
    kinds = {words.split for words in said.values()}
    if not said or (kinds == {"train"} and others) or any(folder.casefold() == "invalid" for folder in others):
        return {}
    named = ", ".join(f"'{folder[:80]}'" for folder in sorted(said))
    if "train" in kinds and others:
        raise refused(f"{_named(others, place)} beside {named}. Move it into one of these, or away.")
    if others in ([], [""]) or all(inside[*place, folder] & set(others) for folder in said):
        return said
    if classes:
        return {}
    raise refused(
        f"{named} may be held out, or may be a class like '{others[-1][:80]}'. Put what is to train on into a folder "
        "'train' beside it, rename it, or send layout=classes."
    )


def _named(others: list[str], place: Parts) -> str:
    where = f" in '{'/'.join(place)[:80]}'" if place else ""
    return (f"The folder '{others[-1][:80]}'" if others[-1] else "A picture without a split") + f"{where} lies"
