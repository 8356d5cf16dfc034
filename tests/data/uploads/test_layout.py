"""The layout of an archive follows from the names of its members: classes, piles, pairs, splits and label tables."""

import unicodedata
from collections.abc import Sequence
from typing import Literal

import pytest

from app.services.datasets.intake import sheet_plan
from data.errors import Refused
from data.uploads.layout import ArchiveLayout, HeldOutSplit, RequestedLayout, infer_layout
from data.uploads.members import Listing
from data.uploads.zip_names import natural_key


def listing(*names: str) -> Listing:
    """Return the listing of an archive; names that end in / are folders."""
    files = {name: name for name in names if not name.endswith("/")}
    return Listing(files, [name for name in names if name.endswith("/")])


def layout_of(*names: str, requested: RequestedLayout = "auto") -> ArchiveLayout:
    return infer_layout(listing(*names), requested)


def refusal(names: Sequence[str], requested: RequestedLayout = "auto") -> str:
    with pytest.raises(Refused) as caught:
        infer_layout(listing(*names), requested)
    assert caught.value.pointer in ("/file", "/layout")
    return caught.value.detail


def test_numbers_in_names_sort_as_numbers() -> None:
    assert sorted(["s10/2.png", "s2/10.png", "s2/9.png", "S1/1.png"], key=natural_key) == [
        "S1/1.png", "s2/9.png", "s2/10.png", "s10/2.png",
    ]  # fmt: skip


def test_folders_are_classes_in_natural_order() -> None:
    layout = layout_of("s10/1.png", "s2/2.png", "s2/1.png", "s2/deep/3.JPG")
    assert layout.layout == "classes"
    assert layout.classes == ("s2", "s10")
    assert layout.domains == (("s2/1.png", "s2/2.png", "s2/deep/3.JPG", "s10/1.png"),)
    assert layout.labels == (0, 0, 0, 1)


@pytest.mark.parametrize("wrapping", ["", "pets/", "a/b/c/", "deep/" * 100])
def test_folders_that_wrap_everything_are_ignored(wrapping: str) -> None:
    assert layout_of(f"{wrapping}cat/1.png", f"{wrapping}dog/1.png").classes == ("cat", "dog")
    assert layout_of(f"{wrapping}1.png", f"{wrapping}2.png").layout == "flat"


def test_members_that_are_not_pictures_are_ignored_and_listed() -> None:
    layout = layout_of(
        "pets/cat/1.png", "pets/dog/1.png", "__MACOSX/pets/cat/._1.png", "pets/.DS_Store", "pets/Thumbs.db",
        "README.txt", "pets/cat/LICENSE", "pets/cat/2.psd", "pets/.git/3.png",
    )  # fmt: skip
    assert layout.layout == "classes"
    assert len(layout.pictures) == 2
    assert len(layout.ignored) == 7


def test_backslashes_separate_folders() -> None:
    assert layout_of("pets\\cat\\1.png", "pets\\dog\\1.png").classes == ("cat", "dog")


@pytest.mark.parametrize(("a", "b"), [("A", "B"), ("a", "b"), ("trainA", "trainB"), ("x/A", "x/B")])
def test_folders_a_and_b_are_two_piles_and_pairs_if_their_names_match(a: str, b: str) -> None:
    unpaired = layout_of(f"{b}/1.png", f"{a}/1.png", f"{a}/2.png")
    assert unpaired.layout == "unpaired"
    assert unpaired.domains == ((f"{a}/1.png", f"{a}/2.png"), (f"{b}/1.png",))
    paired = layout_of(f"{b}/10.jpg", f"{b}/9.jpg", f"{a}/9.png", f"{a}/10.png")
    assert paired.layout == "paired"
    assert paired.domains == ((f"{a}/9.png", f"{a}/10.png"), (f"{b}/9.jpg", f"{b}/10.jpg"))


def test_held_out_pictures_beside_two_piles_are_kept_for_evaluation() -> None:
    layout = layout_of("trainA/1.png", "trainB/2.png", "testA/3.png", "testB/4.png")
    assert layout.layout == "unpaired"
    assert layout.pictures == ["trainA/1.png", "trainB/2.png"]
    assert layout.held_out == HeldOutSplit("test", (("testA/3.png",), ("testB/4.png",)))
    assert layout.members == ["trainA/1.png", "trainB/2.png", "testA/3.png", "testB/4.png"]


def test_equal_names_in_two_other_folders_are_classes_with_a_note() -> None:
    layout = layout_of("photos/1.png", "maps/1.png")
    assert layout.layout == "classes"
    assert "layout=paired" in layout.notes[0]
    (note,) = layout_of("cat/1.png", "dog/2.png").notes
    assert "layout=unpaired" in note
    assert layout_of("cat/1.png", "dog/2.png", requested="classes").notes == ()
    assert layout_of("photos/1.png", "maps/1.png", requested="paired").domains == (("maps/1.png",), ("photos/1.png",))


def test_requested_layout_overrides_the_inferred_one() -> None:
    names = ("A/1.png", "B/1.png")
    assert layout_of(*names, requested="classes").classes == ("A", "B")
    assert layout_of(*names, requested="flat").domains == (names,)
    assert layout_of(*names, requested="unpaired").layout == "unpaired"
    assert layout_of(*names, requested="side_by_side").layout == "side_by_side"


def test_removing_a_member_removes_the_other_half_of_its_pair() -> None:
    paired = layout_of("A/1.png", "A/2.png", "B/1.png", "B/2.png").without({"A/1.png"})
    assert paired.domains == (("A/2.png",), ("B/2.png",))
    labelled = layout_of("x/1.png", "x/2.png", "y/1.png", "y/3.png").without({"x/1.png"})
    assert labelled.domains == (("x/2.png", "y/1.png", "y/3.png"),)
    assert labelled.labels == (0, 1, 1)
    unpaired = layout_of("A/1.png", "A/2.png", "B/3.png").without({"A/1.png"})
    assert unpaired.domains == (("A/2.png",), ("B/3.png",))


def test_ambiguous_names_are_refused_with_what_to_do() -> None:
    assert "layout=flat" in refusal(["1.png", "cat/2.png", "dog/3.png"])
    assert "two folders or more" in refusal(["cat/1.png", "cat/2.png"], "classes")
    assert "exactly two folders" in refusal(["x/1.png", "y/1.png", "z/1.png"], "unpaired")
    assert "exactly two folders" in refusal(["1.png", "2.png"], "paired")
    assert "'3'" in refusal(["x/1.png", "y/1.png", "y/3.png"], "paired")
    assert "endings only" in refusal(["x/1.png", "x/1.jpg", "y/1.png"], "paired")
    assert "capital letters" in refusal(["Cat/1.png", "cat/2.png", "dog/3.png"])
    assert "'each'" in refusal(["each/1.png", "dog/2.png"])
    assert "at most 100 characters" in refusal(["x" * 101 + "/1.png", "dog/2.png"])
    assert "'b/pets.tar.gz' is an archive inside" in refusal(["a/1.png", "b/pets.tar.gz"])
    assert "no pictures" in refusal(["a.txt", "b/c.txt"])


def test_each_row_of_the_sheet_is_one_class_or_holds_both_piles() -> None:
    picks, columns = sheet_plan(layout_of("x/1.png", "x/2.png", "y/1.png"))
    assert columns == 8
    assert picks[:3] == [("x/1.png", None), ("x/2.png", None), None]
    assert picks[8:10] == [("y/1.png", None), None]
    picks, columns = sheet_plan(layout_of("A/1.png", "A/2.png", "B/1.png", "B/2.png"))
    assert columns == 4
    assert picks == [("A/1.png", None), ("B/1.png", None), ("A/2.png", None), ("B/2.png", None)]
    picks, columns = sheet_plan(layout_of("A/1.png", *(f"B/{n}.png" for n in range(5, 20))))
    assert (columns, len(picks)) == (8, 32)
    assert picks[:5] == [("A/1.png", None), None, None, None, ("B/5.png", None)]
    picks, columns = sheet_plan(layout_of("1.png", "2.png", requested="side_by_side"))
    assert picks == [("1.png", 0), ("1.png", 1), ("2.png", 0), ("2.png", 1)]
    picks, columns = sheet_plan(layout_of(*(f"{n}.png" for n in range(1000))))
    assert (columns, len(picks)) == (8, 64)
    assert picks[-1] == ("984.png", None)


# ---- folders named for splits, classes and piles

TRAIN = ["train", "Training", "TRAIN", "train_set", "training-data", "Train Images", "train2017", "trn"]
VAL = ["val", "Valid", "validation", "val_set", "validation-images", "dev", "val2017"]
TEST = ["test", "Testing", "test_set", "test-images", "tst", "test2017", "holdout", "held_out", "eval"]
WRAPS = ["", "pets/", "a/b/"]
INNER: dict[str, tuple[list[str], str]] = {
    "classes": (["cat/1.png", "cat/2.png", "dog/1.png"], "classes"),
    "classes of other names": (["cat/{split}1.png", "cat/{split}2.png", "dog/{split}3.png"], "classes"),
    "pictures": (["1.png", "2.png"], "flat"),
    "piles": (["A/1.png", "B/{split}2.png"], "unpaired"),
    "pairs": (["A/1.png", "B/1.png"], "paired"),
}


@pytest.mark.sampled(60, quick=5)
@pytest.mark.parametrize("wrap", WRAPS)
@pytest.mark.parametrize("held_out", [*VAL, *TEST])
@pytest.mark.parametrize("train", TRAIN)
@pytest.mark.parametrize("inner", INNER)
def test_train_and_held_out_folders_are_recognised_by_their_usual_names(
    inner: str, train: str, held_out: str, wrap: str
) -> None:
    members, layout = INNER[inner]
    train_members = [f"{wrap}{train}/{member.format(split='train')}" for member in members]
    held_out_members = [f"{wrap}{held_out}/{member.format(split='held')}" for member in members]
    archive = layout_of(*train_members, *held_out_members)
    assert archive.layout == layout
    assert sorted(archive.pictures) == sorted(train_members)
    assert archive.held_out is not None
    assert sorted(archive.held_out.pictures) == sorted(held_out_members)
    assert archive.held_out.split == ("val" if held_out in VAL else "test")
    assert archive.held_out.labels == archive.labels
    assert any("kept for evaluation" in note for note in archive.notes)


@pytest.mark.parametrize("held_out", ["test", "Val", "testing"])
@pytest.mark.parametrize("kind", ["A/{}/", "trainish"])
def test_splits_are_recognised_inside_piles_and_beside_pictures(kind: str, held_out: str) -> None:
    if kind == "trainish":
        piles = layout_of("A/1.png", f"A/{held_out}/2.png", "B/3.png", f"B/{held_out}/4.png")
    else:
        piles = layout_of("A/train/1.png", f"A/{held_out}/2.png", "B/train/3.png", f"B/{held_out}/4.png")
    assert (piles.layout, piles.held_out and piles.held_out.domains) == (
        "unpaired",
        ((f"A/{held_out}/2.png",), (f"B/{held_out}/4.png",)),
    )
    assert len(piles.pictures) == 2
    flat = layout_of("1.png", "2.png", f"{held_out}/3.png")
    assert (flat.layout, flat.pictures) == ("flat", ["1.png", "2.png"])
    classes = layout_of("cat/1.png", "dog/2.png", f"{held_out}/cat/3.png", f"{held_out}/dog/4.png")
    assert (classes.classes, len(classes.pictures)) == (("cat", "dog"), 2)


@pytest.mark.parametrize("a", ["trainA", "train_a", "Train-A", "A_train", "train A"])
def test_one_folder_may_name_both_a_pile_and_a_split(a: str) -> None:
    b, test_a = a.replace("A", "B").replace("_a", "_b"), a.replace("rain", "est").replace("Test", "test")
    names = (f"{a}/1.png", f"{b}/2.png", f"{test_a}/3.png", f"{test_a.replace('A', 'B').replace('_a', '_b')}/4.png")
    layout = layout_of(*names)
    assert (layout.layout, layout.pictures) == ("unpaired", list(names[:2]))
    assert layout.held_out is not None


def test_test_split_is_held_out_and_unused_splits_are_noted() -> None:
    layout = layout_of("train/1.png", "val/2.png", "test/3.png")
    assert layout.held_out == HeldOutSplit("test", (("test/3.png",),))
    assert any("'val' is not used" in note for note in layout.notes)
    mismatched = layout_of("train/cat/1.png", "train/dog/2.png", "test/3.png")
    assert mismatched.held_out is None
    assert any("left out" in note for note in mismatched.notes)


def test_train_among_classes_is_a_class_and_test_among_classes_is_refused() -> None:
    assert layout_of("bus/1.png", "car/2.png", "train/3.png").classes == ("bus", "car", "train")
    assert layout_of("valid/1.png", "invalid/2.png").classes == ("invalid", "valid")
    assert "layout=classes" in refusal(["cat/1.png", "dog/2.png", "test/3.png"])
    assert len(layout_of("cat/1.png", "test/3.png", requested="classes").classes) == 2
    assert "nothing is left to train on" in refusal(["test/1.png", "val/2.png"])
    assert "'extra'" in refusal(["train/1.png", "test/2.png", "extra/3.png"])


UNSUPPORTED = ["heic", "HEIF", "jp2", "jxl", "tga", "nef"]


@pytest.mark.parametrize("ending", UNSUPPORTED)
def test_pictures_of_unsupported_formats_do_not_change_the_layout(ending: str) -> None:
    detail = refusal(["cat/1.png", f"dog/1.{ending}"])
    assert "'dog'" in detail
    assert ending.upper() in detail
    assert "'B'" in refusal(["A/1.png", f"B/1.{ending}"])
    paired = layout_of("A/1.png", "A/2.png", "B/1.png", f"B/2.{ending}")
    assert (paired.layout, paired.domains) == ("paired", (("A/1.png",), ("B/1.png",)))
    flat = layout_of("1.png", *(f"{number}.{ending}" for number in range(3)))
    assert f"3 {ending.upper()} pictures were not read" in flat.notes[0]
    assert len(flat.ignored) == 3
    assert "that can be read here" in refusal([f"1.{ending}"])


@pytest.mark.parametrize("wrap", WRAPS)
def test_empty_folder_is_refused_or_noted_by_name(wrap: str) -> None:
    assert "'dog'" in refusal([f"{wrap}cat/1.png", f"{wrap}dog/"])
    assert "'dog'" in refusal([f"{wrap}cat/1.png", f"{wrap}fox/1.png", f"{wrap}dog/", f"{wrap}dog/Thumbs.db"])
    flat = layout_of(f"{wrap}1.png", f"{wrap}new/")
    assert flat.layout == "flat"
    assert any("new" in note for note in flat.notes)
    classes = layout_of(f"{wrap}cat/1.png", f"{wrap}dog/1.png", f"{wrap}docs/a.txt")
    assert any("docs" in note for note in classes.notes)


SYSTEM_FILES = [
    "__MACOSX/x/._1.png", "._1.png", ".DS_Store", "Thumbs.db", "thumbs.DB", "desktop.ini", "@eaDir/1.png/S.jpg",
    "~$1.png", ".ipynb_checkpoints/1-checkpoint.png", "#recycle/1.png", "$RECYCLE.BIN/1.png",
]  # fmt: skip


@pytest.mark.parametrize("system_file", SYSTEM_FILES)
@pytest.mark.parametrize("folder", ["", "cat/", "pets/", "pets/cat/deep/"])
def test_system_files_are_never_classes_or_pictures(system_file: str, folder: str) -> None:
    clean = layout_of("pets/cat/1.png", "pets/dog/1.png")
    layout = layout_of("pets/cat/1.png", "pets/dog/1.png", folder + system_file)
    assert (layout.classes, layout.pictures) == (clean.classes, clean.pictures)
    assert layout.ignored == (folder + system_file,)
    assert layout_of("1.png", folder + system_file).layout == "flat"


def test_uncertain_guesses_are_noted() -> None:
    assert "taken together" in layout_of("cat/1.png", "cat/2.png").notes[0]
    assert "taken as pairs" in layout_of("A/1.png", "B/1.png").notes[0]
    assert "several folders" in layout_of("A/imgs/1.png", "A/bbox/2.png", "B/1.png").notes[0]
    assert "'a_day' and 'b_night' were taken as classes" in layout_of("a_day/1.png", "b_night/2.png").notes[0]
    assert layout_of("1.png", "2.png").notes == ()


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_names_in_both_unicode_forms_are_equal(form: Literal["NFC", "NFD"]) -> None:
    def composed(name: str) -> str:
        return unicodedata.normalize("NFC", name)

    cafe = unicodedata.normalize(form, "Café")
    names = [f"{cafe}/1.png", "Café/2.png", "Bar/3.png", "Café/3.png"]
    layout = infer_layout(Listing({name: composed(name) for name in names}), "auto")
    assert layout.classes == ("Bar", "Café")
    pairs = [f"A/{cafe}.png", f"B/{unicodedata.normalize('NFD', 'Café')}.png"]
    assert infer_layout(Listing({name: composed(name) for name in pairs}), "auto").layout == "paired"


# ---- classes from a label table


def layout_with_table(
    table: object, name: str = "labels.csv", *names: str, requested: RequestedLayout = "auto"
) -> ArchiveLayout:
    return infer_layout(listing(*names, name), requested, {name: table})


@pytest.mark.parametrize("file", ["file", "file_name", "Filename", "image", "path"])
@pytest.mark.parametrize("label", ["label", "class", "Class Name", "category", "target"])
@pytest.mark.parametrize("name", ["labels.csv", "metadata.csv", "pets/Labels.CSV"])
def test_label_table_overrides_folders(file: str, label: str, name: str) -> None:
    folder = name.rpartition("/")[0]
    names = [f"{folder}/x/{number}.png".lstrip("/") for number in range(3)]
    rows = [[file, "size", label], *([f"x/{number}.png", "9", "dog" if number else "cat"] for number in range(3))]
    layout = layout_with_table(rows, name, *names)
    assert (layout.layout, layout.classes, layout.labels) == ("classes", ("cat", "dog"), (0, 1, 1))
    assert layout.domains == (tuple(names),)
    assert any("not those of folders" in note for note in layout.notes)
    bare_names = [[file, label], *([str(number), "ab"[number % 2]] for number in range(3))]
    without_endings = layout_with_table(bare_names, "labels.csv", "0.png", "1.png", "2.png")
    assert without_endings.labels == (0, 0, 1)
    assert layout_with_table(rows, name, *names, requested="flat").layout == "flat"


def test_zip_of_generated_pictures_is_read_with_its_classes_in_order() -> None:
    head = ["file", "label", "class", "index"]
    rows = [["0000000_1.png", "1", "ant", "0"], ["0000001_0.png", "0", "'=zebra", "0"]]
    layout = layout_with_table([head, *rows], "labels.csv", "0000000_1.png", "0000001_0.png")
    assert (layout.classes, layout.labels) == (("=zebra", "ant"), (0, 1))


def test_stylegan_labels_come_from_dataset_json() -> None:
    names = [f"0000{number}/img{number}.png" for number in range(3)]
    table = {"labels": [[name, 10 - number] for number, name in enumerate(names)]}
    layout = layout_with_table(table, "dataset.json", *names)
    assert (layout.classes, layout.labels) == (("8", "9", "10"), (0, 1, 2))
    assert layout.domains == (tuple(reversed(names)),)
    assert layout_with_table({"labels": None}, "dataset.json", *names).layout == "flat"


def test_label_table_without_classes_is_noted_and_one_with_gaps_is_refused() -> None:
    layout = layout_with_table([["file_name", "text"], ["1.png", "a dog"]], "metadata.csv", "x/1.png", "y/2.png")
    assert layout.classes == ("x", "y")
    assert any("no column" in note for note in layout.notes)
    with pytest.raises(Refused, match=r"says no class of 1 pictures, the first is '2\.png'"):
        layout_with_table([["file", "label"], ["1.png", "a"], ["3.png", "b"]], "labels.csv", "1.png", "2.png", "3.png")
