"""Names of translated pictures: their own, with the ending of what they are, and never two alike."""

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
def test_names_end_in_png_and_stay_apart(members: list[str], names: list[str]) -> None:
    assert png_names(members) == names
    assert len(set(names)) == len(members)
