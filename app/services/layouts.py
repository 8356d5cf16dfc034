"""What the members of an uploaded zip are to each other, by their names alone: classes, one pile, or two."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Literal

from app.core.errors import FieldError, Invalid
from app.core.untrusted import parts_of
from models.decoding import SUFFIXES

Layout = Literal["classes", "flat", "unpaired", "paired", "side_by_side"]
Asked = Literal["auto", "classes", "flat", "unpaired", "paired", "side_by_side"]
LONGEST_CLASS = 100
MOST_CLASSES = 10_000
_ARCHIVES = frozenset((".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar", ".zst"))
_TWO_PILES = ({"a", "b"}, {"traina", "trainb"})
_HELD_OUT = frozenset(("testa", "testb", "vala", "valb"))
_DIGITS = re.compile(r"(\d+)")


@dataclass(frozen=True)
class Laid:
    """Members as they will be used: one pile or two, each in its order; `labels` of the first, numbers of `classes`."""

    layout: Layout
    piles: tuple[tuple[str, ...], ...]
    classes: tuple[str, ...] = ()
    labels: tuple[int, ...] | None = None
    ignored: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def pictures(self) -> list[str]:
        return [name for pile in self.piles for name in pile]

    def without(self, lost: set[str]) -> "Laid":
        """With the unreadable ones left out; of pairs the other half goes too."""
        if self.layout == "paired":
            kept = [pair for pair in zip(*self.piles, strict=True) if lost.isdisjoint(pair)]
            return self._with(tuple(zip(*kept, strict=True)) if kept else ((), ()))
        places = [[place for place, name in enumerate(pile) if name not in lost] for pile in self.piles]
        labels = None if self.labels is None else tuple(self.labels[place] for place in places[0])
        piles = (tuple(pile[place] for place in own) for pile, own in zip(self.piles, places, strict=True))
        return self._with(tuple(piles), labels)

    def _with(self, piles: tuple[tuple[str, ...], ...], labels: tuple[int, ...] | None = None) -> "Laid":
        return Laid(self.layout, piles, self.classes, labels, self.ignored, self.notes)


def lay_out(members: Sequence[str], asked: Asked) -> Laid:
    """Raises Invalid where the names do not say what was asked for."""
    pictures, ignored = _sorted_out(members)
    rooted = _unwrapped(pictures)
    folders = _folders(rooted)
    match asked if asked != "auto" else _guess(rooted, folders):
        case "flat":
            return Laid("flat", (_natural(rooted),), ignored=ignored)
        case "side_by_side":
            return Laid("side_by_side", (_natural(rooted),), ignored=ignored)
        case "classes":
            return _classes(rooted, folders, ignored)
        case _:
            return _a_and_b(folders, ignored, asked)


def natural_key(name: str) -> tuple[object, ...]:
    """s2 before s10; capitals do not matter unless nothing else differs."""
    return (*((int(part), "") if part.isdecimal() else (-1, part) for part in _DIGITS.split(name.casefold())), name)


Rooted = Mapping[str, tuple[str, ...]]
"""Member names with the folders and file name that are left once wrapping folders are taken off."""


def _sorted_out(members: Sequence[str]) -> tuple[Rooted, tuple[str, ...]]:
    """Pictures by their names, and what is ignored. An archive among them is refused: it would hide what it holds."""
    pictures, ignored = {}, []
    for name in members:
        parts = parts_of(name)
        suffix = _suffix(parts[-1])
        if parts[0] == "__MACOSX" or any(part.startswith(".") for part in parts):
            ignored.append(name)
        elif suffix in _ARCHIVES:
            raise _refused(
                f"'{name[:80]}' is an archive inside the archive. Unpack it and zip the pictures themselves."
            )
        elif suffix in SUFFIXES:
            pictures[name] = parts
        else:
            ignored.append(name)
    if not pictures:
        endings = ", ".join(sorted(SUFFIXES))
        raise _refused(f"The zip holds no pictures: no member's name ends in {endings}.", "no_pictures")
    return pictures, tuple(sorted(ignored, key=natural_key))


def _unwrapped(pictures: Rooted) -> Rooted:
    """Without the folders that all pictures share."""
    folders = [parts[:-1] for parts in pictures.values()]
    ends = zip(min(folders), max(folders), strict=False)  # what the first and the last share, all do
    shared = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], ends))
    return {name: parts[shared:] for name, parts in pictures.items()}


def _folders(rooted: Rooted) -> dict[str, dict[str, tuple[str, ...]]]:
    """Pictures by their first folder ('' for none), folders in natural order."""
    found: dict[str, dict[str, tuple[str, ...]]] = {}
    for name, parts in rooted.items():
        found.setdefault(parts[0] if len(parts) > 1 else "", {})[name] = parts[1:]
    return {folder: found[folder] for folder in sorted(found, key=natural_key)}


def _guess(rooted: Rooted, folders: Mapping[str, Rooted]) -> Layout:
    named = {folder.casefold() for folder in folders} - _HELD_OUT
    if named in _TWO_PILES:
        return "unpaired"
    return "flat" if set(folders) == {""} else "classes"


def _classes(rooted: Rooted, folders: Mapping[str, Rooted], ignored: tuple[str, ...]) -> Laid:
    if len(folders) < 2:
        raise _refused("layout=classes needs two folders or more, one for each class.", pointer="/layout")
    if "" in folders:
        stray = next(iter(folders[""]))
        raise _refused(
            f"'{stray[:80]}' lies beside class folders. "
            "Move it into one, or send layout=flat for pictures without classes."
        )
    if len(folders) > MOST_CLASSES:
        raise _refused(f"There are {len(folders)} class folders; {MOST_CLASSES} are the most.")
    for name in folders:
        if len(name) > LONGEST_CLASS or name.casefold() == "each":
            raise _refused(
                f"A class cannot be called '{name[:80]}': "
                f"take at most {LONGEST_CLASS} characters, and not 'each', which asks for all. Rename the folder."
            )
    if len({name.casefold() for name in folders}) < len(folders):
        raise _refused("Two class folders differ in capital letters only. Rename or join them.")
    used = [(name, number) for number, own in enumerate(folders.values()) for name in _natural(own)]
    piles = (tuple(name for name, _ in used),)
    return Laid("classes", piles, tuple(folders), tuple(number for _, number in used), ignored, _maybe_pairs(folders))


def _maybe_pairs(folders: Mapping[str, Rooted]) -> tuple[str, ...]:
    if len(folders) != 2 or not _alike(*folders.values()):
        return ()
    names = " and ".join(f"'{name}'" for name in folders)
    return (
        f"{names} hold files of the same names and were taken as classes. "
        "If they are pairs, upload them with layout=paired.",
    )


def _paired(a: Rooted, b: Rooted, ignored: tuple[str, ...]) -> Laid:
    left, right = _stems(a), _stems(b)
    if len(left) < len(a) or len(right) < len(b):
        raise _refused("Two pictures of one folder differ in their endings only. Rename one.", pointer="/layout")
    if lonely := sorted(left.keys() ^ right.keys(), key=natural_key):
        raise _refused(
            f"{len(lonely)} pictures have no partner of the same name in the other folder, the first is "
            f"'{lonely[0][:80]}'. Give both the same name, or send layout=unpaired.",
            pointer="/layout",
        )
    order = sorted(left, key=natural_key)
    return Laid("paired", (tuple(left[stem] for stem in order), tuple(right[stem] for stem in order)), ignored=ignored)


def _unpaired(a: Rooted, b: Rooted, ignored: tuple[str, ...]) -> Laid:
    return Laid("unpaired", (_natural(a), _natural(b)), ignored=ignored)


def _a_and_b(folders: Mapping[str, Rooted], ignored: tuple[str, ...], asked: Asked) -> Laid:
    """Two folders as two piles. Beside trainA and trainB, folders of held-out pictures are ignored."""
    used = dict(folders)
    if {folder.casefold() for folder in folders} - _HELD_OUT in _TWO_PILES:
        held_out = [used.pop(folder) for folder in folders if folder.casefold() in _HELD_OUT]
        ignored = (*ignored, *(name for own in held_out for name in _natural(own)))
    if len(used) != 2 or "" in used:
        there = ", ".join(f"'{folder[:80]}'" for folder in list(used)[:8] if folder) or "none"
        raise _refused(
            f"layout={asked} needs exactly two folders, such as A and B; there are: {there}.", pointer="/layout"
        )
    paired = asked == "paired" or (asked == "auto" and _alike(*used.values()))
    a, b = used.values()
    return _paired(a, b, ignored) if paired else _unpaired(a, b, ignored)


def _alike(a: Rooted, b: Rooted) -> bool:
    """Whether the names make pairs."""
    return len(a) == len(b) == len(_stems(a)) and _stems(a).keys() == _stems(b).keys()


def _stems(pile: Rooted) -> dict[str, str]:
    """Members by path and name without the ending."""
    return {"/".join(parts)[: -len(_suffix(parts[-1]))]: name for name, parts in pile.items()}


def _natural(pictures: Rooted) -> tuple[str, ...]:
    return tuple(sorted(pictures, key=natural_key))


def _suffix(name: str) -> str:
    dot = name.rfind(".")
    return name[dot:].casefold() if dot > 0 else ""


def _refused(sentence: str, code: str = "unclear_layout", pointer: str = "/file") -> Invalid:
    return Invalid(sentence, code=code, errors=(FieldError(pointer, sentence),))
