"""Infer an archive's layout from the names of its members: classes, one domain, or two domains."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import Any, Literal

from data.uploads import class_lists
from data.uploads.class_lists import ClassList, UnusedTables
from data.uploads.members import (
    Listing,
    MemberPaths,
    Parts,
    SortedMembers,
    count_by_format,
    in_order,
    is_litter,
    refusal,
    sort_members,
    suffix,
)
from data.uploads.splits import Split, by_split
from data.uploads.zip_names import natural_key

Layout = Literal["classes", "flat", "unpaired", "paired", "side_by_side"]
RequestedLayout = Literal["auto", "classes", "flat", "unpaired", "paired", "side_by_side"]
MemberLists = tuple[tuple[str, ...], ...]
MAX_CLASS_NAME = 100
"""most characters of a class's name"""
MAX_CLASSES = 10_000
_MAX_FOLDERS_IN_NOTE = 5
"""most folders that a note names"""


@dataclass(frozen=True)
class HeldOutSplit:
    """A split that is held out for evaluation, in the layout of the training split."""

    split: Split
    domains: MemberLists
    labels: tuple[int, ...] | None = None

    def without(self, layout: Layout, removed: set[str]) -> "HeldOutSplit":
        return HeldOutSplit(self.split, *_without(layout, self.domains, self.labels, removed))

    @property
    def pictures(self) -> list[str]:
        return [name for domain in self.domains for name in domain]


@dataclass(frozen=True)
class ArchiveLayout:
    """The used members of each domain (one or two), in order.

    `labels` are those of the first domain, as indices of `classes`. `held_out` is the split for evaluation. `paths`
    holds the decoded names of members whose names in the zip differ. `folders` names the folders of two domains.
    """

    layout: Layout
    domains: MemberLists
    classes: tuple[str, ...] = ()
    labels: tuple[int, ...] | None = None
    ignored: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    held_out: HeldOutSplit | None = None
    paths: Mapping[str, str] | None = None
    folders: tuple[str, ...] = ()

    @property
    def pictures(self) -> list[str]:
        return [name for domain in self.domains for name in domain]

    @property
    def members(self) -> list[str]:
        """The pictures of the training split and of the held-out one."""
        return self.pictures + ([] if self.held_out is None else self.held_out.pictures)

    def path_of(self, name: str) -> str:
        """Return a member's decoded name."""
        return (self.paths or {}).get(name, name)

    def without(self, removed: set[str]) -> "ArchiveLayout":
        """Return the layout without these members. If one picture of a pair is removed, so is the other."""
        domains, labels = _without(self.layout, self.domains, self.labels, removed)
        held_out = None if self.held_out is None else self.held_out.without(self.layout, removed)
        return replace(
            self, domains=domains, labels=labels, held_out=held_out if held_out and all(held_out.domains) else None
        )

    def with_notes(self, notes: Iterable[str]) -> "ArchiveLayout":
        return replace(self, notes=(*self.notes, *notes))


def _without(
    layout: Layout, domains: MemberLists, labels: tuple[int, ...] | None, removed: set[str]
) -> tuple[MemberLists, tuple[int, ...] | None]:
    if layout == "paired":
        pairs = [pair for pair in zip(*domains, strict=True) if removed.isdisjoint(pair)]
        return (tuple(zip(*pairs, strict=True)) if pairs else ((), ())), None
    remaining = [[index for index, name in enumerate(domain) if name not in removed] for domain in domains]
    members = tuple(
        tuple(domain[index] for index in indices) for domain, indices in zip(domains, remaining, strict=True)
    )
    return members, None if labels is None else tuple(labels[index] for index in remaining[0])


def infer_layout(
    listing: Listing, requested: RequestedLayout, tables: Mapping[str, Any] | None = None
) -> ArchiveLayout:
    """Infer the layout from all folders and pictures, then leave out pictures of formats that cannot be read.

    `tables` holds the contents of tables of classes, by member. Raises Refused if the names do not fit the requested
    layout, or if a class or a domain would have no pictures.
    """
    by_kind = sort_members(listing)
    class_list = _read_tables(by_kind, tables or {}, requested)
    everything = by_kind.pictures | by_kind.unread | _relevant_empty_folders(by_kind, requested, class_list)
    shared, paths = _without_shared_folders(everything)
    splits = by_split(paths, classes=requested == "classes")
    more, paths = _without_shared_folders({name: parts for split in splits.values() for name, parts in split.items()})
    train = {name: paths[name] for name in splits["train"]}
    archive_layout = _lay_out(train, requested, class_list if isinstance(class_list, ClassList) else None)
    archive_layout = archive_layout.with_notes(
        _notes(by_kind, listing, archive_layout, shared + more, train if requested == "auto" else {})
    )
    if isinstance(class_list, UnusedTables):
        archive_layout = archive_layout.with_notes([class_list.note])
    archive_layout = _with_held_out(archive_layout, splits, paths, by_kind, class_list)
    archive_layout = _without_unreadable(archive_layout, by_kind)
    decoded_names = {name: path for name, path in listing.files.items() if name != path}
    return replace(
        archive_layout, ignored=in_order(by_kind.ignored | by_kind.tables | by_kind.unread), paths=decoded_names
    )


def _read_tables(
    by_kind: SortedMembers, tables: Mapping[str, Any], requested: RequestedLayout
) -> ClassList | UnusedTables | None:
    """Return the classes that tables name; None if there are none, or if the requested layout does not use them."""
    if not tables or requested not in ("auto", "classes"):
        return None
    class_list = class_lists.read(tables, by_kind.tables, by_kind.pictures | by_kind.unread)
    says_no_classes = isinstance(class_list, ClassList) and not class_list.classes
    return None if requested == "classes" and says_no_classes else class_list


def _relevant_empty_folders(by_kind: SortedMembers, requested: RequestedLayout, class_list: object) -> MemberPaths:
    """Return the empty folders that count as a class or a domain; {} if the folders have no meaning."""
    if requested in ("flat", "side_by_side") or isinstance(class_list, ClassList):
        return {}
    _, paths = _without_shared_folders(by_kind.pictures | by_kind.unread)
    with_empty = _without_shared_folders(by_kind.pictures | by_kind.unread | by_kind.empty)[1]
    loose = all(len(parts) == 1 for parts in paths.values()) and any(
        len(with_empty[name]) == 1 for name in by_kind.pictures | by_kind.unread
    )
    return {} if loose else by_kind.empty


def _without_shared_folders(members: MemberPaths) -> tuple[Parts, dict[str, Parts]]:
    """Return the outer folders that all members share, and the members' paths without them."""
    folders = [parts[:-1] for parts in members.values()]
    ends = zip(min(folders), max(folders), strict=False)  # a common prefix of the first and the last is common to all
    shared = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], ends))
    return folders[0][:shared], {name: parts[shared:] for name, parts in members.items()}


def _lay_out(paths: MemberPaths, requested: RequestedLayout, class_list: ClassList | None) -> ArchiveLayout:
    folders = _folders(paths)
    if class_list is not None:
        return _classes_of_table(paths, class_list)
    match requested if requested != "auto" else _guess(folders):
        case "flat":
            return ArchiveLayout("flat", (in_order(paths),))
        case "side_by_side":
            return ArchiveLayout("side_by_side", (in_order(paths),))
        case "classes":
            return _classes(folders)
        case _:
            return _two_domains(folders, requested)


def _folders(paths: MemberPaths) -> dict[str, dict[str, Parts]]:
    """Group members by their first folder ('' for none), in natural order."""
    folders: dict[str, dict[str, Parts]] = {}
    for name, parts in paths.items():
        folders.setdefault(parts[0] if len(parts) > 1 else "", {})[name] = parts[1:] if len(parts) > 1 else parts
    return {folder: folders[folder] for folder in sorted(folders, key=natural_key)}


def _guess(folders: Mapping[str, MemberPaths]) -> Layout:
    if {folder.casefold() for folder in folders} == {"a", "b"}:
        return "unpaired"
    return "flat" if set(folders) == {""} else "classes"


def _classes(folders: Mapping[str, MemberPaths]) -> ArchiveLayout:
    if "" in folders and len(folders) > 1:
        stray = "/".join(next(iter(folders[""].values())))
        raise refusal(
            f"'{stray[:80]}' lies beside class folders. "
            "Move it into one, or send layout=flat for pictures without classes."
        )
    if len(folders) < 2:
        raise refusal("layout=classes needs two folders or more, one for each class.", pointer="/layout")
    _check_names(folders, "folder")
    used = [(name, number) for number, members in enumerate(folders.values()) for name in in_order(members)]
    return ArchiveLayout(
        "classes", (tuple(name for name, _ in used),), tuple(folders), tuple(number for _, number in used)
    )


def _classes_of_table(paths: MemberPaths, class_list: ClassList) -> ArchiveLayout:
    """Lay out the classes of a table. A table without classes gives a flat layout."""
    note = f"Classes are those of '{class_list.source[:80]}', not those of folders."
    order = in_order(paths)
    if len(class_list.classes) < 2:
        return ArchiveLayout(
            "flat", (order,), notes=(f"'{class_list.source[:80]}' says of no picture which of two classes it is.",)
        )
    _check_names(class_list.classes, "class")
    if unlabelled := [name for name in order if name not in class_list.class_of]:
        first = "/".join(paths[unlabelled[0]])
        raise refusal(
            f"'{class_list.source[:80]}' says no class of {len(unlabelled)} pictures, the first is '{first[:80]}'. "
            "Add them to it, or send layout=flat."
        )
    present = {class_list.class_of[name] for name in order}
    if absent := [name for name in class_list.classes if name not in present]:
        table = class_list.source[:80]
        raise refusal(f"No picture that is for training is of the class '{absent[0][:80]}' of '{table}'.")
    numbers = {name: number for number, name in enumerate(class_list.classes)}
    pairs = sorted(((numbers[class_list.class_of[name]], index, name) for index, name in enumerate(order)))
    domains = (tuple(name for *_, name in pairs),)
    return ArchiveLayout("classes", domains, class_list.classes, tuple(number for number, *_ in pairs), notes=(note,))


def _check_names(classes: Iterable[str], what: str) -> None:
    names = list(classes)
    if len(names) > MAX_CLASSES:
        raise refusal(f"There are {len(names)} class{' folders' * (what == 'folder')}; {MAX_CLASSES} are the most.")
    for name in names:
        if len(name) > MAX_CLASS_NAME or name.casefold() == "each":
            raise refusal(
                f"A class cannot be called '{name[:80]}': "
                f"take at most {MAX_CLASS_NAME} characters, and not 'each', which asks for all. Rename the {what}."
            )
    if len({name.casefold() for name in names}) < len(names):
        raise refusal("Two class folders differ in capital letters only. Rename or join them.")


def _paired(a: MemberPaths, b: MemberPaths) -> ArchiveLayout:
    stems_a, stems_b = _stems(a), _stems(b)
    if len(stems_a) < len(a) or len(stems_b) < len(b):
        raise refusal("Two pictures of one folder differ in their endings only. Rename one.", pointer="/layout")
    if without_partner := sorted(stems_a.keys() ^ stems_b.keys(), key=natural_key):
        raise refusal(
            f"{len(without_partner)} pictures have no partner of the same name in the other folder, the first is "
            f"'{without_partner[0][:80]}'. Give both the same name, or send layout=unpaired.",
            pointer="/layout",
        )
    order = sorted(stems_a, key=natural_key)
    return ArchiveLayout("paired", (tuple(stems_a[stem] for stem in order), tuple(stems_b[stem] for stem in order)))


def _two_domains(folders: Mapping[str, MemberPaths], requested: RequestedLayout) -> ArchiveLayout:
    """Lay out two folders as two domains."""
    if len(folders) != 2 or "" in folders:
        present = ", ".join(f"'{folder[:80]}'" for folder in list(folders)[:8] if folder) or "none"
        raise refusal(
            f"layout={requested} needs exactly two folders, such as A and B; there are: {present}.", pointer="/layout"
        )
    a, b = folders.values()
    if requested == "paired" or (requested == "auto" and _same_names(a, b)):
        archive_layout = _paired(a, b)
    else:
        archive_layout = ArchiveLayout("unpaired", (in_order(a), in_order(b)))
    return replace(archive_layout, folders=tuple(folders))


def _same_names(a: MemberPaths, b: MemberPaths) -> bool:
    """Return whether each picture of one folder has a picture of the same name, without suffix, in the other."""
    return len(a) == len(b) == len(_stems(a)) and _stems(a).keys() == _stems(b).keys()


def _stems(domain: MemberPaths) -> dict[str, str]:
    """Return the members of a domain by their paths without the suffix."""
    return {
        "/".join(parts).removesuffix(parts[-1][len(_without_suffix(parts[-1])) :]): name
        for name, parts in domain.items()
    }


def _without_suffix(name: str) -> str:
    return name[: -len(suffix(name)) or None]


# ---- held-out splits


def _with_held_out(
    archive_layout: ArchiveLayout,
    splits: Mapping[Split, MemberPaths],
    paths: MemberPaths,
    by_kind: SortedMembers,
    class_list: ClassList | UnusedTables | None,
) -> ArchiveLayout:
    """Add the split held out for evaluation: the test split, or the validation split if there is no test split."""
    splits = {
        split: {name: members[name] for name in members if name not in by_kind.empty}
        for split, members in splits.items()
    }
    held_out_name: Split | None = "test" if splits["test"] else "val" if splits["val"] else None
    if held_out_name is None:
        return archive_layout
    members = {name: paths[name] for name in splits[held_out_name]}
    held_out = _held_out_split(
        archive_layout, held_out_name, members, _folders({name: paths[name] for name in splits["train"]}), class_list
    )
    present = [split for split in ("train", "val", "test") if splits[split]]
    note = f"Folders are splits ({', '.join(present)}): 'train' is trained on"
    if held_out is None or not all(held_out.domains):
        return archive_layout.with_notes([f"{note}; pictures of '{held_out_name}' do not go with it and are left out."])
    dropped = len(members) - len(held_out.pictures)
    dropped_note = [f"{dropped} of its pictures do not go with 'train' and are left out."] if dropped else []
    unused_notes = [f"'{split}' is not used." for split in present[1:] if split != held_out_name]
    return replace(archive_layout, held_out=held_out).with_notes(
        [f"{note}, '{held_out_name}' is kept for evaluation.", *dropped_note, *unused_notes]
    )


def _held_out_split(
    archive_layout: ArchiveLayout,
    split: Split,
    members: MemberPaths,
    trained: Mapping[str, MemberPaths],
    class_list: ClassList | UnusedTables | None,
) -> HeldOutSplit | None:
    """Return a held-out split in the layout of the training split; None if its folders differ."""
    if archive_layout.layout in ("flat", "side_by_side"):
        return HeldOutSplit(split, (in_order(members),))
    if archive_layout.layout == "classes":
        numbers = {name.casefold(): number for number, name in enumerate(archive_layout.classes)}
        by_table = class_list.class_of if isinstance(class_list, ClassList) else None
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
    if archive_layout.layout == "unpaired":
        return HeldOutSplit(split, (in_order(a), in_order(b)))
    stems_a, stems_b = _stems(a), _stems(b)
    order = sorted(stems_a.keys() & stems_b.keys(), key=natural_key)
    return HeldOutSplit(split, (tuple(stems_a[stem] for stem in order), tuple(stems_b[stem] for stem in order)))


# ---- members that are left out, and notes


def _without_unreadable(archive_layout: ArchiveLayout, by_kind: SortedMembers) -> ArchiveLayout:
    """Remove unreadable pictures and empty folders. Raises Refused if a class or a domain loses all its pictures."""
    removed = by_kind.unread.keys() | by_kind.empty.keys()
    readable = archive_layout.without(set(removed))
    for number, name in enumerate(archive_layout.classes):
        if number not in (readable.labels or ()):
            labelled = zip(archive_layout.domains[0], archive_layout.labels or (), strict=True)
            raise _no_pictures_in(name, {member for member, label in labelled if label == number}, by_kind)
    if not all(readable.domains):
        unreadable = [set(domain) for domain in archive_layout.domains if set(domain) <= removed]
        raise _no_pictures_in("", next(iter(unreadable), set(removed)), by_kind)
    return readable


def _no_pictures_in(folder: str, members: set[str], by_kind: SortedMembers) -> Exception:
    unread = {name: parts for name, parts in by_kind.unread.items() if name in members}
    if unread:
        where = folder or "/".join(next(iter(unread.values()))[:-1])
        return refusal(
            f"The folder '{where[:80]}' holds nothing but {count_by_format(unread)}, which cannot be read here. "
            "Save them as PNG or JPEG, or remove the folder.",
            "no_pictures",
        )
    where = folder or next(iter(members), "").rstrip("/")
    return refusal(f"The folder '{where[:80]}' is empty. Put pictures into it, or remove it.", "no_pictures")


def _notes(
    by_kind: SortedMembers, listing: Listing, archive_layout: ArchiveLayout, shared: Parts, guessed: MemberPaths
) -> Iterable[str]:
    """Yield notes on guesses and on members that are left out.

    `shared` are the folders that all members share. `guessed` holds the training members if the layout was guessed, and
    is {} if it was requested.
    """
    if guessed:
        yield from _guess_notes(archive_layout, shared, _folders(guessed))
    yield from _joined_folders_note(archive_layout, by_kind)
    if by_kind.unread:
        verb, pronoun = ("was", "it") if len(by_kind.unread) == 1 else ("were", "them")
        yield f"{count_by_format(by_kind.unread)} {verb} not read: save {pronoun} as PNG or JPEG."
    yield from _empty_folders_note(by_kind, archive_layout)
    if listing.guessed is not None:
        yield f"The zip does not state the encoding of non-ASCII names: they were read as {listing.guessed}."


def _guess_notes(archive_layout: ArchiveLayout, shared: Parts, folders: Mapping[str, MemberPaths]) -> Iterable[str]:
    if archive_layout.layout == "flat" and shared and not archive_layout.notes:
        yield f"All pictures lie in one folder, '{'/'.join(shared)[:80]}': they are taken together, without classes."
    if archive_layout.layout == "paired":
        yield (
            "'A' and 'B' hold files of the same names and were taken as pairs. "
            "If they do not belong together, upload them with layout=unpaired."
        )
    if archive_layout.layout == "classes" and len(folders) == 2 and not archive_layout.notes:
        names = " and ".join(f"'{name[:80]}'" for name in folders)
        if _same_names(*folders.values()):
            yield (
                f"{names} hold files of the same names and were taken as classes. "
                "If they are pairs, upload them with layout=paired."
            )
        else:
            yield f"{names} were taken as classes. If they are two domains to translate, upload with layout=unpaired."


def _joined_folders_note(archive_layout: ArchiveLayout, by_kind: SortedMembers) -> Iterable[str]:
    """Yield a note if the pictures of several folders of a domain were joined, though folders may have a meaning."""
    parts = by_kind.pictures | by_kind.unread
    domains = [[parts[name] for name in domain if name in parts] for domain in archive_layout.domains]
    if archive_layout.layout == "classes":
        return
    for domain in domains:
        inside = sorted({"/".join(member[:-1]) for member in domain}, key=natural_key)
        if len(inside) > 1:
            names = ", ".join(f"'{folder[:80]}'" for folder in inside[:_MAX_FOLDERS_IN_NOTE])
            more = f" and {len(inside) - _MAX_FOLDERS_IN_NOTE} more" if len(inside) > _MAX_FOLDERS_IN_NOTE else ""
            yield f"Pictures of several folders were joined: {names}{more}. Upload only the ones you want."


def _empty_folders_note(by_kind: SortedMembers, archive_layout: ArchiveLayout) -> Iterable[str]:
    """Yield a note on folders without pictures."""
    if archive_layout.layout not in ("flat", "side_by_side"):
        pictures = {
            parts[:depth] for parts in (by_kind.pictures | by_kind.unread).values() for depth in range(len(parts))
        }
        ignored = {parts[:-1] for parts in by_kind.ignored.values() if len(parts) > 1}
        unused = sorted("/".join(parts) for parts in ignored - pictures if not is_litter(parts))
    else:
        unused = sorted("/".join(parts[:-1]) for parts in by_kind.empty.values())
    if unused:
        names = ", ".join(f"'{folder[:80]}'" for folder in unused[:_MAX_FOLDERS_IN_NOTE])
        yield f"{'A folder holds' if len(unused) == 1 else f'{len(unused)} folders hold'} no pictures: {names}."
