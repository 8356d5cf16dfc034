"""Classes of pictures that tables name."""

from data.uploads.class_lists import ClassList, read
from data.uploads.members import MemberPaths


def test_table_without_labels_does_not_discard_the_classes_of_another_table() -> None:
    pictures: MemberPaths = {"cat.png": ("cat.png",), "dog.png": ("dog.png",)}
    csv = [["file", "label"], ["cat.png", "cat"], ["dog.png", "dog"]]
    for tables in (
        {"dataset.json": {"labels": None}, "labels.csv": csv},
        {"a.csv": csv, "dataset.json": {"labels": None}},
    ):
        paths: dict[str, tuple[str, ...]] = {name: (name,) for name in tables}
        classes = read(tables, paths, pictures)
        assert isinstance(classes, ClassList)
        assert (classes.classes, classes.class_of) == (("cat", "dog"), {"cat.png": "cat", "dog.png": "dog"})


def test_table_without_labels_alone_says_that_there_are_no_classes() -> None:
    classes = read({"dataset.json": {"labels": None}}, {"dataset.json": ("dataset.json",)}, {"x/1.png": ("x", "1.png")})
    assert classes == ClassList("dataset.json", (), {})
