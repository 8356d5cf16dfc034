"""What members are to each other, by their names."""

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
    """Those that end in / are folders."""
    files = {name: name for name in names if not name.endswith("/")}
    return Listing(files, [name for name in names if name.endswith("/")])


def laid(*names: str, asked: RequestedLayout = "auto") -> ArchiveLayout:
    return infer_layout(listing(*names), asked)


def refusal(names: Sequence[str], asked: RequestedLayout = "auto") -> str:
    with pytest.raises(Refused) as caught:
        infer_layout(listing(*names), asked)
    assert caught.value.pointer in ("/file", "/layout")
    return caught.value.detail


def test_numbers_in_names_sort_as_numbers() -> None:
    assert sorted(["s10/2.png", "s2/10.png", "s2/9.png", "S1/1.png"], key=natural_key) == [
        "S1/1.png", "s2/9.png", "s2/10.png", "s10/2.png",
    ]  # fmt: skip


def test_folders_are_classes_in_natural_order() -> None:
    found = laid("s10/1.png", "s2/2.png", "s2/1.png", "s2/deep/3.JPG")
    assert found.layout == "classes"
    assert found.classes == ("s2", "s10")
    assert found.piles == (("s2/1.png", "s2/2.png", "s2/deep/3.JPG", "s10/1.png"),)
    assert found.labels == (0, 0, 0, 1)


@pytest.mark.parametrize("top", ["", "pets/", "a/b/c/", "deep/" * 100])
def test_folders_around_everything_are_looked_through(top: str) -> None:
    assert laid(f"{top}cat/1.png", f"{top}dog/1.png").classes == ("cat", "dog")
    assert laid(f"{top}1.png", f"{top}2.png").layout == "flat"


def test_what_is_no_picture_is_ignored_and_named() -> None:
    found = laid(
        "pets/cat/1.png", "pets/dog/1.png", "__MACOSX/pets/cat/._1.png", "pets/.DS_Store", "pets/Thumbs.db",
        "README.txt", "pets/cat/LICENSE", "pets/cat/2.psd", "pets/.git/3.png",
    )  # fmt: skip
    assert found.layout == "classes"
    assert len(found.pictures) == 2
    assert len(found.ignored) == 7


def test_backslashes_part_folders_too() -> None:
    assert laid("pets\\cat\\1.png", "pets\\dog\\1.png").classes == ("cat", "dog")


@pytest.mark.parametrize(("a", "b"), [("A", "B"), ("a", "b"), ("trainA", "trainB"), ("x/A", "x/B")])
def test_a_and_b_are_two_piles(a: str, b: str) -> None:
    unpaired = laid(f"{b}/1.png", f"{a}/1.png", f"{a}/2.png")
    assert unpaired.layout == "unpaired"
    assert unpaired.piles == ((f"{a}/1.png", f"{a}/2.png"), (f"{b}/1.png",))
    paired = laid(f"{b}/10.jpg", f"{b}/9.jpg", f"{a}/9.png", f"{a}/10.png")
    assert paired.layout == "paired"
    assert paired.piles == ((f"{a}/9.png", f"{a}/10.png"), (f"{b}/9.jpg", f"{b}/10.jpg"))


def test_held_out_pictures_beside_two_piles_are_kept_for_evaluation() -> None:
    found = laid("trainA/1.png", "trainB/2.png", "testA/3.png", "testB/4.png")
    assert found.layout == "unpaired"
    assert found.pictures == ["trainA/1.png", "trainB/2.png"]
    assert found.held == HeldOutSplit("test", (("testA/3.png",), ("testB/4.png",)))
    assert found.members == ["trainA/1.png", "trainB/2.png", "testA/3.png", "testB/4.png"]


def test_equal_names_in_two_other_folders_are_classes_with_a_note() -> None:
    found = laid("photos/1.png", "maps/1.png")
    assert found.layout == "classes"
    assert "layout=paired" in found.notes[0]
    (note,) = laid("cat/1.png", "dog/2.png").notes
    assert "layout=unpaired" in note
    assert laid("cat/1.png", "dog/2.png", asked="classes").notes == ()
    assert laid("photos/1.png", "maps/1.png", asked="paired").piles == (("maps/1.png",), ("photos/1.png",))


def test_what_is_asked_for_wins() -> None:
    names = ("A/1.png", "B/1.png")
    assert laid(*names, asked="classes").classes == ("A", "B")
    assert laid(*names, asked="flat").piles == (names,)
    assert laid(*names, asked="unpaired").layout == "unpaired"
    assert laid(*names, asked="side_by_side").layout == "side_by_side"


def test_of_a_pair_the_other_half_goes_too() -> None:
    found = laid("A/1.png", "A/2.png", "B/1.png", "B/2.png").without({"A/1.png"})
    assert found.piles == (("A/2.png",), ("B/2.png",))
    labelled = laid("x/1.png", "x/2.png", "y/1.png", "y/3.png").without({"x/1.png"})
    assert labelled.piles == (("x/2.png", "y/1.png", "y/3.png"),)
    assert labelled.labels == (0, 1, 1)
    alone = laid("A/1.png", "A/2.png", "B/3.png").without({"A/1.png"})
    assert alone.piles == (("A/2.png",), ("B/3.png",))


def test_unclear_names_are_refused_with_what_to_do() -> None:
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


def test_each_row_of_the_sheet_is_a_class_or_holds_both_piles() -> None:
    picks, columns = sheet_plan(laid("x/1.png", "x/2.png", "y/1.png"))
    assert columns == 8
    assert picks[:3] == [("x/1.png", None), ("x/2.png", None), None]
    assert picks[8:10] == [("y/1.png", None), None]
    picks, columns = sheet_plan(laid("A/1.png", "A/2.png", "B/1.png", "B/2.png"))
    assert columns == 4
    assert picks == [("A/1.png", None), ("B/1.png", None), ("A/2.png", None), ("B/2.png", None)]
    picks, columns = sheet_plan(laid("A/1.png", *(f"B/{n}.png" for n in range(5, 20))))
    assert (columns, len(picks)) == (8, 32)
    assert picks[:5] == [("A/1.png", None), None, None, None, ("B/5.png", None)]
    picks, columns = sheet_plan(laid("1.png", "2.png", asked="side_by_side"))
    assert picks == [("1.png", 0), ("1.png", 1), ("2.png", 0), ("2.png", 1)]
    picks, columns = sheet_plan(laid(*(f"{n}.png" for n in range(1000))))
    assert (columns, len(picks)) == (8, 64)
    assert picks[-1] == ("984.png", None)


# ---- folders mean what their names say

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
@pytest.mark.parametrize("held", [*VAL, *TEST])
@pytest.mark.parametrize("train", TRAIN)
@pytest.mark.parametrize("inner", INNER)
def test_splits_are_found_whatever_they_are_called(inner: str, train: str, held: str, wrap: str) -> None:
    members, layout = INNER[inner]
    own = [f"{wrap}{train}/{member.format(split='train')}" for member in members]
    kept = [f"{wrap}{held}/{member.format(split='held')}" for member in members]
    found = laid(*own, *kept)
    assert found.layout == layout
    assert sorted(found.pictures) == sorted(own)
    assert found.held is not None
    assert sorted(found.held.pictures) == sorted(kept)
    assert found.held.split == ("val" if held in VAL else "test")
    assert found.held.labels == found.labels
    assert any("kept for evaluation" in note for note in found.notes)


@pytest.mark.parametrize("held", ["test", "Val", "testing"])
@pytest.mark.parametrize("kind", ["A/{}/", "trainish"])
def test_splits_inside_piles_and_beside_pictures(kind: str, held: str) -> None:
    if kind == "trainish":
        found = laid("A/1.png", f"A/{held}/2.png", "B/3.png", f"B/{held}/4.png")
    else:
        found = laid("A/train/1.png", f"A/{held}/2.png", "B/train/3.png", f"B/{held}/4.png")
    assert (found.layout, found.held and found.held.piles) == ("unpaired", ((f"A/{held}/2.png",), (f"B/{held}/4.png",)))
    assert len(found.pictures) == 2
    alone = laid("1.png", "2.png", f"{held}/3.png")
    assert (alone.layout, alone.pictures) == ("flat", ["1.png", "2.png"])
    beside = laid("cat/1.png", "dog/2.png", f"{held}/cat/3.png", f"{held}/dog/4.png")
    assert (beside.classes, len(beside.pictures)) == (("cat", "dog"), 2)


@pytest.mark.parametrize("a", ["trainA", "train_a", "Train-A", "A_train", "train A"])
def test_a_pile_and_a_split_may_be_one_folder(a: str) -> None:
    b, held = a.replace("A", "B").replace("_a", "_b"), a.replace("rain", "est").replace("Test", "test")
    names = (f"{a}/1.png", f"{b}/2.png", f"{held}/3.png", f"{held.replace('A', 'B').replace('_a', '_b')}/4.png")
    found = laid(*names)
    assert (found.layout, found.pictures) == ("unpaired", list(names[:2]))
    assert found.held is not None


def test_the_test_split_is_evaluated_on_and_the_others_are_said() -> None:
    found = laid("train/1.png", "val/2.png", "test/3.png")
    assert found.held == HeldOutSplit("test", (("test/3.png",),))
    assert any("'val' is not used" in note for note in found.notes)
    odd = laid("train/cat/1.png", "train/dog/2.png", "test/3.png")
    assert odd.held is None
    assert any("left out" in note for note in odd.notes)


def test_a_train_among_vehicles_is_a_class_and_a_test_among_pets_is_asked_about() -> None:
    assert laid("bus/1.png", "car/2.png", "train/3.png").classes == ("bus", "car", "train")
    assert laid("valid/1.png", "invalid/2.png").classes == ("invalid", "valid")
    assert "layout=classes" in refusal(["cat/1.png", "dog/2.png", "test/3.png"])
    assert len(laid("cat/1.png", "test/3.png", asked="classes").classes) == 2
    assert "nothing is left to train on" in refusal(["test/1.png", "val/2.png"])
    assert "'extra'" in refusal(["train/1.png", "test/2.png", "extra/3.png"])


FOREIGN = ["heic", "HEIF", "jp2", "jxl", "tga", "nef"]


@pytest.mark.parametrize("ending", FOREIGN)
def test_what_cannot_be_read_changes_no_layout(ending: str) -> None:
    said = refusal(["cat/1.png", f"dog/1.{ending}"])
    assert "'dog'" in said
    assert ending.upper() in said
    assert "'B'" in refusal(["A/1.png", f"B/1.{ending}"])
    found = laid("A/1.png", "A/2.png", "B/1.png", f"B/2.{ending}")
    assert (found.layout, found.piles) == ("paired", (("A/1.png",), ("B/1.png",)))
    some = laid("1.png", *(f"{number}.{ending}" for number in range(3)))
    assert f"3 {ending.upper()} pictures were not read" in some.notes[0]
    assert len(some.ignored) == 3
    assert "that can be read here" in refusal([f"1.{ending}"])


@pytest.mark.parametrize("wrap", WRAPS)
def test_an_empty_folder_is_named(wrap: str) -> None:
    assert "'dog'" in refusal([f"{wrap}cat/1.png", f"{wrap}dog/"])
    assert "'dog'" in refusal([f"{wrap}cat/1.png", f"{wrap}fox/1.png", f"{wrap}dog/", f"{wrap}dog/Thumbs.db"])
    loose = laid(f"{wrap}1.png", f"{wrap}new/")
    assert loose.layout == "flat"
    assert any("new" in note for note in loose.notes)
    told = laid(f"{wrap}cat/1.png", f"{wrap}dog/1.png", f"{wrap}docs/a.txt")
    assert any("docs" in note for note in told.notes)


LITTER = [
    "__MACOSX/x/._1.png", "._1.png", ".DS_Store", "Thumbs.db", "thumbs.DB", "desktop.ini", "@eaDir/1.png/S.jpg",
    "~$1.png", ".ipynb_checkpoints/1-checkpoint.png", "#recycle/1.png", "$RECYCLE.BIN/1.png",
]  # fmt: skip


@pytest.mark.parametrize("litter", LITTER)
@pytest.mark.parametrize("place", ["", "cat/", "pets/", "pets/cat/deep/"])
def test_litter_is_nowhere_a_class_or_a_picture(litter: str, place: str) -> None:
    clean = laid("pets/cat/1.png", "pets/dog/1.png")
    found = laid("pets/cat/1.png", "pets/dog/1.png", place + litter)
    assert (found.classes, found.pictures) == (clean.classes, clean.pictures)
    assert found.ignored == (place + litter,)
    assert laid("1.png", place + litter).layout == "flat"


def test_uncertain_guesses_are_notes() -> None:
    assert "taken together" in laid("cat/1.png", "cat/2.png").notes[0]
    assert "taken as pairs" in laid("A/1.png", "B/1.png").notes[0]
    assert "several folders" in laid("A/imgs/1.png", "A/bbox/2.png", "B/1.png").notes[0]
    assert "'a_day' and 'b_night' were taken as classes" in laid("a_day/1.png", "b_night/2.png").notes[0]
    assert laid("1.png", "2.png").notes == ()


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_names_are_composed(form: Literal["NFC", "NFD"]) -> None:
    def said(name: str) -> str:
        return unicodedata.normalize("NFC", name)

    cafe = unicodedata.normalize(form, "Café")
    names = [f"{cafe}/1.png", "Café/2.png", "Bar/3.png", "Café/3.png"]
    found = infer_layout(Listing({name: said(name) for name in names}), "auto")
    assert found.classes == ("Bar", "Café")
    pairs = [f"A/{cafe}.png", f"B/{unicodedata.normalize('NFD', 'Café')}.png"]
    assert infer_layout(Listing({name: said(name) for name in pairs}), "auto").layout == "paired"


# ---- classes that a file says


def of_table(table: object, name: str = "labels.csv", *names: str, asked: RequestedLayout = "auto") -> ArchiveLayout:
    return infer_layout(listing(*names, name), asked, {name: table})


@pytest.mark.parametrize("file", ["file", "file_name", "Filename", "image", "path"])
@pytest.mark.parametrize("label", ["label", "class", "Class Name", "category", "target"])
@pytest.mark.parametrize("name", ["labels.csv", "metadata.csv", "pets/Labels.CSV"])
def test_a_table_of_classes_wins_over_folders(file: str, label: str, name: str) -> None:
    folder = name.rpartition("/")[0]
    names = [f"{folder}/x/{number}.png".lstrip("/") for number in range(3)]
    rows = [[file, "size", label], *([f"x/{number}.png", "9", "dog" if number else "cat"] for number in range(3))]
    found = of_table(rows, name, *names)
    assert (found.layout, found.classes, found.labels) == ("classes", ("cat", "dog"), (0, 1, 1))
    assert found.piles == (tuple(names),)
    assert any("not those of folders" in note for note in found.notes)
    bare = of_table([[file, label], *([str(number), "ab"[number % 2]] for number in range(3))], "labels.csv", "0.png",
                    "1.png", "2.png")  # fmt: skip
    assert bare.labels == (0, 0, 1)
    assert of_table(rows, name, *names, asked="flat").layout == "flat"


def test_our_own_labelled_zip_comes_back_with_its_classes_in_their_order() -> None:
    head = ["file", "label", "class", "index"]
    rows = [["0000000_1.png", "1", "ant", "0"], ["0000001_0.png", "0", "'=zebra", "0"]]
    found = of_table([head, *rows], "labels.csv", "0000000_1.png", "0000001_0.png")
    assert (found.classes, found.labels) == (("=zebra", "ant"), (0, 1))


def test_styleganʼs_labels_are_those_of_its_json() -> None:
    names = [f"0000{number}/img{number}.png" for number in range(3)]
    said = {"labels": [[name, 10 - number] for number, name in enumerate(names)]}
    found = of_table(said, "dataset.json", *names)
    assert (found.classes, found.labels) == (("8", "9", "10"), (0, 1, 2))
    assert found.piles == (tuple(reversed(names)),)
    assert of_table({"labels": None}, "dataset.json", *names).layout == "flat"


def test_a_table_that_says_no_classes_is_said() -> None:
    found = of_table([["file_name", "text"], ["1.png", "a dog"]], "metadata.csv", "x/1.png", "y/2.png")
    assert found.classes == ("x", "y")
    assert any("no column" in note for note in found.notes)
    with pytest.raises(Refused, match=r"says no class of 1 pictures, the first is '2\.png'"):
        of_table([["file", "label"], ["1.png", "a"], ["3.png", "b"]], "labels.csv", "1.png", "2.png", "3.png")
