"""What members are to each other, by their names."""

from collections.abc import Sequence

import pytest

from app.core.errors import Invalid
from app.services.intake import sheet_plan
from app.services.layouts import Asked, Laid, lay_out, natural_key


def laid(*names: str, asked: Asked = "auto") -> Laid:
    return lay_out(names, asked)


def refusal(names: Sequence[str], asked: Asked = "auto") -> str:
    with pytest.raises(Invalid) as caught:
        lay_out(names, asked)
    assert caught.value.errors
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
        "README.txt", "pets/cat/LICENSE", "pets/cat/2.gif", "pets/.git/3.png",
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


def test_held_out_pictures_beside_two_piles_are_ignored() -> None:
    found = laid("trainA/1.png", "trainB/2.png", "testA/3.png", "testB/4.png")
    assert found.layout == "unpaired"
    assert found.pictures == ["trainA/1.png", "trainB/2.png"]
    assert found.ignored == ("testA/3.png", "testB/4.png")


def test_equal_names_in_two_other_folders_are_classes_with_a_note() -> None:
    found = laid("photos/1.png", "maps/1.png")
    assert found.layout == "classes"
    assert "layout=paired" in found.notes[0]
    assert laid("cat/1.png", "dog/2.png").notes == ()
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
    assert "no pictures" in refusal(["a.txt", "b/c.gif"])


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
