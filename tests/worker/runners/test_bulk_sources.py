"""Names of translated pictures: the original name with the ending png, and no name twice."""

import pytest

from worker.runners.bulk_sources import png_names


@pytest.mark.parametrize(
    ("members", "names"),
    [
        (["A/1.jpg", "A/2.PNG", "b.webp"], ["A/1.png", "A/2.png", "b.png"]),
        (["1.png", "1.jpg", "1.webp"], ["1.png", "1.jpg.png", "1.webp.png"]),
        (["1.jpg", "1.png"], ["1.jpg.png", "1.png"]),
        (["1.jpg", "1.png", "1.jpg.png"], ["1.jpg.png.png", "1.png", "1.jpg.png"]),
        (["a.b.jpg", "no_ending"], ["a.b.png", "no_ending.png"]),
        (["A\\1.jpg", "A/1.webp"], ["A/1.png", "A/1.webp.png"]),
    ],
)
def test_png_names_are_unique_and_end_in_png(members: list[str], names: list[str]) -> None:
    assert png_names(members) == names
    assert len(set(names)) == len(members)
