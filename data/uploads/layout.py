"""Infer an archive's layout from its members' names: classes, one domain, or two."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import Any, Literal

from data.uploads import class_lists
from data.uploads.class_lists import ClassList, UnusedTables
from data.uploads.members import (
    Listing,
    Parts,
    Rooted,
    SortedMembers,
    count_by_format,
    in_order,
    is_litter,
    refused,
    sort_members,
    suffix,
)
from data.uploads.splits import Split, by_split
from data.uploads.zip_names import natural_key

Layout = Literal["classes", "flat", "unpaired", "paired", "side_by_side"]
RequestedLayout = Literal["auto", "classes", "flat", "unpaired", "paired", "side_by_side"]
MemberLists = tuple[tuple[str, ...], ...]
MAX_CLASS_NAME = 100
MAX_CLASSES = 10_000
_MAX_FOLDERS_IN_NOTE = 5
"""most folders in a note"""


@dataclass(frozen=True)
class HeldOutSplit:
    """A split that is held out for evaluation, in the layout of the training split."""

    split: Split
    piles: MemberLists
    labels: tuple[int, ...] | None = None

    def without(self, layout: Layout, lost: set[str]) -> "HeldOutSplit":
        return HeldOutSplit(self.split, *_without(layout, self.piles, self.labels, lost))

    @property
    def pictures(self) -> list[str]:
        return [name for pile in self.piles for name in pile]


@dataclass(frozen=True)
class ArchiveLayout:
    """The used members: of one domain or two, each in order; `labels` of the first are indices of `classes`.

    `held` is the split held out for evaluation. `paths` are decoded names of members that differ from those in the
    zip. `folders` are the folders of two domains.
    """

    layout: Layout
    piles: MemberLists
    classes: tuple[str, ...] = ()
    labels: tuple[int, ...] | None = None
    ignored: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    held: HeldOutSplit | None = None
    paths: Mapping[str, str] | None = None
    folders: tuple[str, ...] = ()

    @property
    def pictures(self) -> list[str]:
        return [name for pile in self.piles for name in pile]

    @property
    def members(self) -> list[str]:
        """The pictures of the training split and of the held-out one."""
        return self.pictures + ([] if self.held is None else self.held.pictures)

    def called(self, name: str) -> str:
        return (self.paths or {}).get(name, name)

    def without(self, lost: set[str]) -> "ArchiveLayout":
        """Return the layout without the `lost` members; of pairs both pictures are removed."""
        piles, labels = _without(self.layout, self.piles, self.labels, lost)
        held = None if self.held is None else self.held.without(self.layout, lost)
        return replace(self, piles=piles, labels=labels, held=held if held and all(held.piles) else None)

    def noting(self, notes: Iterable[str]) -> "ArchiveLayout":
        return replace(self, notes=(*self.notes, *notes))


def _without(
    layout: Layout, piles: MemberLists, labels: tuple[int, ...] | None, lost: set[str]
) -> tuple[MemberLists, tuple[int, ...] | None]:
    if layout == "paired":
        kept = [pair for pair in zip(*piles, strict=True) if lost.isdisjoint(pair)]
        return (tuple(zip(*kept, strict=True)) if kept else ((), ())), None
    remaining = [[index for index, name in enumerate(pile) if name not in lost] for pile in piles]
    members = tuple(tuple(pile[index] for index in indices) for pile, indices in zip(piles, remaining, strict=True))
    return members, None if labels is None else tuple(labels[index] for index in remaining[0])


def infer_layout(
    listing: Listing, requested: RequestedLayout, tables: Mapping[str, Any] | None = None
) -> ArchiveLayout:
    """Infer the layout from all folders and pictures, then leave out pictures that cannot be read.

    `tables` holds the contents of tables of classes, by member. Raises Refused if the names do not fit the requested
    layout, or if a class or a domain would have no pictures.
    """
    found = sort_members(listing)
    labels = _labels(found, tables or {}, requested)
    everything = found.pictures | found.foreign | _relevant_empty_folders(found, requested, labels)
    wrapped, rooted = _unwrapped(everything)
    splits = by_split(rooted, classes=requested == "classes")
    more, rooted = _unwrapped({name: parts for split in splits.values() for name, parts in split.items()})
    train = {name: rooted[name] for name in splits["train"]}
    laid = _lay_out(train, requested, labels if isinstance(labels, ClassList) else None)
    laid = laid.noting(_notes(found, listing, laid, wrapped + more, train if requested == "auto" else {}))
    if isinstance(labels, UnusedTables):
        laid = laid.noting([labels.note])
    laid = _with_held(laid, splits, rooted, found, labels)
    laid = _readable(laid, found)
    paths = {name: path for name, path in listing.files.items() if name != path}
    return replace(laid, ignored=in_order(found.ignored | found.tables | found.foreign), paths=paths)


def _labels(
    found: SortedMembers, tables: Mapping[str, Any], requested: RequestedLayout
) -> ClassList | UnusedTables | None:
    if not tables or requested not in ("auto", "classes"):
        return None
    labels = class_lists.read(tables, found.tables, found.pictures | found.foreign)
    return None if requested == "classes" and isinstance(labels, ClassList) and not labels.classes else labels


def _relevant_empty_folders(found: SortedMembers, requested: RequestedLayout, labels: object) -> Rooted:
    """Return the empty folders beside folders of pictures, if folders have a meaning."""
    if requested in ("flat", "side_by_side") or isinstance(labels, ClassList):
        return {}
    _, rooted = _unwrapped(found.pictures | found.foreign)
    with_empty = _unwrapped(found.pictures | found.foreign | found.empty)[1]
    loose = all(len(parts) == 1 for parts in rooted.values()) and any(
        len(with_empty[name]) == 1 for name in found.pictures | found.foreign
    )
    return {} if loose else found.empty


def _unwrapped(members: Rooted) -> tuple[Parts, dict[str, Parts]]:
    """Return the parent folders that all members share, and the members without them."""
    folders = [parts[:-1] for parts in members.values()]
    ends = zip(min(folders), max(folders), strict=False)  # a common prefix of the first and the last is common to all
    shared = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], ends))
    return folders[0][:shared], {name: parts[shared:] for name, parts in members.items()}


def _lay_out(rooted: Rooted, requested: RequestedLayout, labels: ClassList | None) -> ArchiveLayout:
    folders = _folders(rooted)
    if labels is not None:
        return _labelled(rooted, labels)
    match requested if requested != "auto" else _guess(folders):
        case "flat":
            return ArchiveLayout("flat", (in_order(rooted),))
        case "side_by_side":
            return ArchiveLayout("side_by_side", (in_order(rooted),))
        case "classes":
            return _classes(folders)
        case _:
            return _two_domains(folders, requested)


def _folders(rooted: Rooted) -> dict[str, dict[str, Parts]]:
    """Group members by their first folder ('' for none), in natural order."""
    folders: dict[str, dict[str, Parts]] = {}
    for name, parts in rooted.items():
        folders.setdefault(parts[0] if len(parts) > 1 else "", {})[name] = parts[1:] if len(parts) > 1 else parts
    return {folder: folders[folder] for folder in sorted(folders, key=natural_key)}


def _guess(folders: Mapping[str, Rooted]) -> Layout:
    if {folder.casefold() for folder in folders} == {"a", "b"}:
        return "unpaired"
    return "flat" if set(folders) == {""} else "classes"


def _classes(folders: Mapping[str, Rooted]) -> ArchiveLayout:
    if "" in folders and len(folders) > 1:
        stray = "/".join(next(iter(folders[""].values())))
        raise refused(
            f"'{stray[:80]}' lies beside class folders. "
            "Move it into one, or send layout=flat for pictures without classes."
        )
    if len(folders) < 2:
        raise refused("layout=classes needs two folders or more, one for each class.", pointer="/layout")
    _check_names(folders, "folder")
    used = [(name, number) for number, members in enumerate(folders.values()) for name in in_order(members)]
    return ArchiveLayout(
        "classes", (tuple(name for name, _ in used),), tuple(folders), tuple(number for _, number in used)
    )


def _labelled(rooted: Rooted, labels: ClassList) -> ArchiveLayout:
    """Lay out the classes of a table. A table without classes gives a flat layout."""
    note = f"Classes are those of '{labels.source[:80]}', not those of folders."
    order = in_order(rooted)
    if len(labels.classes) < 2:
        return ArchiveLayout(
            "flat", (order,), notes=(f"'{labels.source[:80]}' says of no picture which of two classes it is.",)
        )
    _check_names(labels.classes, "class")
    if unlabelled := [name for name in order if name not in labels.of]:
        first = "/".join(rooted[unlabelled[0]])
        raise refused(
            f"'{labels.source[:80]}' says no class of {len(unlabelled)} pictures, the first is '{first[:80]}'. "
            "Add them to it, or send layout=flat."
        )
    present = {labels.of[name] for name in order}
    if absent := [name for name in labels.classes if name not in present]:
        raise refused(f"No picture that is for training is of the class '{absent[0][:80]}' of '{labels.source[:80]}'.")
    numbers = {name: number for number, name in enumerate(labels.classes)}
    pairs = sorted(((numbers[labels.of[name]], place, name) for place, name in enumerate(order)))
    piles = (tuple(name for *_, name in pairs),)
    return ArchiveLayout("classes", piles, labels.classes, tuple(number for number, *_ in pairs), notes=(note,))


def _check_names(classes: Iterable[str], what: str) -> None:
    names = list(classes)
    if len(names) > MAX_CLASSES:
        raise refused(f"There are {len(names)} class{' folders' * (what == 'folder')}; {MAX_CLASSES} are the most.")
    for name in names:
        if len(name) > MAX_CLASS_NAME or name.casefold() == "each":
            raise refused(
                f"A class cannot be called '{name[:80]}': "
                f"take at most {MAX_CLASS_NAME} characters, and not 'each', which asks for all. Rename the {what}."
            )
    if len({name.casefold() for name in names}) < len(names):
        raise refused("Two class folders differ in capital letters only. Rename or join them.")


def _paired(a: Rooted, b: Rooted) -> ArchiveLayout:
    left, right = _stems(a), _stems(b)
    if len(left) < len(a) or len(right) < len(b):
        raise refused("Two pictures of one folder differ in their endings only. Rename one.", pointer="/layout")
    if lonely := sorted(left.keys() ^ right.keys(), key=natural_key):
        raise refused(
            f"{len(lonely)} pictures have no partner of the same name in the other folder, the first is "
            f"'{lonely[0][:80]}'. Give both the same name, or send layout=unpaired.",
            pointer="/layout",
        )
    order = sorted(left, key=natural_key)
    return ArchiveLayout("paired", (tuple(left[stem] for stem in order), tuple(right[stem] for stem in order)))


def _two_domains(folders: Mapping[str, Rooted], requested: RequestedLayout) -> ArchiveLayout:
    """Lay out two folders as two domains."""
    if len(folders) != 2 or "" in folders:
        there = ", ".join(f"'{folder[:80]}'" for folder in list(folders)[:8] if folder) or "none"
        raise refused(
            f"layout={requested} needs exactly two folders, such as A and B; there are: {there}.", pointer="/layout"
        )
    a, b = folders.values()
    if requested == "paired" or (requested == "auto" and _same_names(a, b)):
        laid = _paired(a, b)
    else:
        laid = ArchiveLayout("unpaired", (in_order(a), in_order(b)))
    return replace(laid, folders=tuple(folders))


def _same_names(a: Rooted, b: Rooted) -> bool:
    """Return whether the names form pairs."""
    return len(a) == len(b) == len(_stems(a)) and _stems(a).keys() == _stems(b).keys()


def _stems(pile: Rooted) -> dict[str, str]:
    """Return members by path without the suffix."""
    return {"/".join(parts).removesuffix(parts[-1][len(_bare(parts[-1])) :]): name for name, parts in pile.items()}


def _bare(name: str) -> str:
    return name[: -len(suffix(name)) or None]


# ---- held-out splits


def _with_held(
    laid: ArchiveLayout,
    splits: Mapping[Split, Rooted],
    rooted: Rooted,
    found: SortedMembers,
    labels: ClassList | UnusedTables | None,
) -> ArchiveLayout:
    """Hold out the test split for evaluation, or the validation split if there is no test split."""
    splits = {
        split: {name: members[name] for name in members if name not in found.empty} for split, members in splits.items()
    }
    kept: Split | None = "test" if splits["test"] else "val" if splits["val"] else None
    if kept is None:
        return laid
    members = {name: rooted[name] for name in splits[kept]}
    held = _held(laid, kept, members, _folders({name: rooted[name] for name in splits["train"]}), labels)
    there = [split for split in ("train", "val", "test") if splits[split]]
    note = f"Folders are splits ({', '.join(there)}): 'train' is trained on"
    if held is None or not all(held.piles):
        return laid.noting([f"{note}; pictures of '{kept}' do not go with it and are left out."])
    dropped = len(members) - len(held.pictures)
    rest = [f"{dropped} of its pictures do not go with 'train' and are left out."] if dropped else []
    unused = [f"'{split}' is not used." for split in there[1:] if split != kept]
    return replace(laid, held=held).noting([f"{note}, '{kept}' is kept for evaluation.", *rest, *unused])


def _held(
    laid: ArchiveLayout,
    split: Split,
    members: Rooted,
    trained: Mapping[str, Rooted],
    labels: ClassList | UnusedTables | None,
) -> HeldOutSplit | None:
    """Lay out a held-out split like the training split; None if its folders differ."""
    if laid.layout in ("flat", "side_by_side"):
        return HeldOutSplit(split, (in_order(members),))
    if laid.layout == "classes":
        numbers = {name.casefold(): number for number, name in enumerate(laid.classes)}
        by_table = labels.of if isinstance(labels, ClassList) else None
        classes = {name: parts[0] if by_table is None else by_table.get(name, "") for name, parts in members.items()}
        pairs = sorted(
            (numbers[classes[name].casefold()], index, name)
            for index, name in enumerate(in_order(members))
            if classes[name].casefold() in numbers
        )
        return HeldOutSplit(split, (tuple(name for *_, name in pairs),), tuple(number for number, *_ in pairs))
    folders = {folder.casefold(): inside for folder, inside in _folders(members).items()}
    if {folder.casefold() for folder in trained} != set(folders):
        return None
    a, b = (folders[folder.casefold()] for folder in trained)
    if laid.layout == "unpaired":
        return HeldOutSplit(split, (in_order(a), in_order(b)))
    left, right = _stems(a), _stems(b)
    order = sorted(left.keys() & right.keys(), key=natural_key)
    return HeldOutSplit(split, (tuple(left[stem] for stem in order), tuple(right[stem] for stem in order)))


# ---- left-out members, and notes


def _readable(laid: ArchiveLayout, found: SortedMembers) -> ArchiveLayout:
    """Remove unreadable pictures and empty folders. Raises Refused if a class or a domain loses all its pictures."""
    lost = found.foreign.keys() | found.empty.keys()
    readable = laid.without(set(lost))
    for number, name in enumerate(laid.classes):
        if number not in (readable.labels or ()):
            labelled = zip(laid.piles[0], laid.labels or (), strict=True)
            raise _nothing_in(name, {member for member, label in labelled if label == number}, found)
    if not all(readable.piles):
        unreadable = [set(pile) for pile in laid.piles if set(pile) <= lost]
        raise _nothing_in("", next(iter(unreadable), set(lost)), found)
    return readable


def _nothing_in(folder: str, members: set[str], found: SortedMembers) -> Exception:
    foreign = {name: parts for name, parts in found.foreign.items() if name in members}
    if foreign:
        where = folder or "/".join(next(iter(foreign.values()))[:-1])
        return refused(
            f"The folder '{where[:80]}' holds nothing but {count_by_format(foreign)}, which cannot be read here. "
            "Save them as PNG or JPEG, or remove the folder.",
            "no_pictures",
        )
    where = folder or next(iter(members), "").rstrip("/")
    return refused(f"The folder '{where[:80]}' is empty. Put pictures into it, or remove it.", "no_pictures")


def _notes(found: SortedMembers, listing: Listing, laid: ArchiveLayout, wrap: Parts, guessed: Rooted) -> Iterable[str]:
    """Yield notes on guesses and left-out members. `guessed` is {} if the layout was requested."""
    if guessed:
        yield from _guesses(laid, wrap, _folders(guessed))
    yield from _mixed(laid, found)
    if found.foreign:
        verb, pronoun = ("was", "it") if len(found.foreign) == 1 else ("were", "them")
        yield f"{count_by_format(found.foreign)} {verb} not read: save {pronoun} as PNG or JPEG."
    yield from _passed_over(found, laid)
    if listing.guessed is not None:
        yield f"The zip does not state the encoding of non-ASCII names: they were read as {listing.guessed}."


def _guesses(laid: ArchiveLayout, wrap: Parts, folders: Mapping[str, Rooted]) -> Iterable[str]:
    if laid.layout == "flat" and wrap and not laid.notes:
        yield f"All pictures lie in one folder, '{'/'.join(wrap)[:80]}': they are taken together, without classes."
    if laid.layout == "paired":
        yield (
            "'A' and 'B' hold files of the same names and were taken as pairs. "
            "If they do not belong together, upload them with layout=unpaired."
        )
    if laid.layout == "classes" and len(folders) == 2 and not laid.notes:
        names = " and ".join(f"'{name[:80]}'" for name in folders)
        if _same_names(*folders.values()):
            yield (
                f"{names} hold files of the same names and were taken as classes. "
                "If they are pairs, upload them with layout=paired."
            )
        else:
            yield f"{names} were taken as classes. If they are two domains to translate, upload with layout=unpaired."


def _mixed(laid: ArchiveLayout, found: SortedMembers) -> Iterable[str]:
    """Yield a note if folders inside a domain were joined, though they may have a meaning."""
    parts = found.pictures | found.foreign
    piles = [[parts[name] for name in pile if name in parts] for pile in laid.piles]
    if laid.layout == "classes":
        return
    for pile in piles:
        inside = sorted({"/".join(member[:-1]) for member in pile}, key=natural_key)
        if len(inside) > 1:
            names = ", ".join(f"'{folder[:80]}'" for folder in inside[:_MAX_FOLDERS_IN_NOTE])
            more = f" and {len(inside) - _MAX_FOLDERS_IN_NOTE} more" if len(inside) > _MAX_FOLDERS_IN_NOTE else ""
            yield f"Pictures of several folders were joined: {names}{more}. Upload only the ones you want."


def _passed_over(found: SortedMembers, laid: ArchiveLayout) -> Iterable[str]:
    """Yield a note on folders without pictures."""
    if laid.layout not in ("flat", "side_by_side"):
        pictures = {parts[:depth] for parts in (found.pictures | found.foreign).values() for depth in range(len(parts))}
        ignored = {parts[:-1] for parts in found.ignored.values() if len(parts) > 1}
        unused = sorted("/".join(parts) for parts in ignored - pictures if not is_litter(parts))
    else:
        unused = sorted("/".join(parts[:-1]) for parts in found.empty.values())
    if unused:
        names = ", ".join(f"'{folder[:80]}'" for folder in unused[:_MAX_FOLDERS_IN_NOTE])
        yield f"{'A folder holds' if len(unused) == 1 else f'{len(unused)} folders hold'} no pictures: {names}."
