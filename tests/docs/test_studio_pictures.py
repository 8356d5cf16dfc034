"""The screenshots of the studio were taken of the page as it is."""

from bench.pictures import FOLDER, SHOTS, SOURCES, hash_of_sources


def test_screenshots_were_taken_of_these_files() -> None:
    assert SOURCES.read_text().strip() == hash_of_sources(), (
        "The page has changed: run `make pictures`, and look at them."
    )


def test_every_screenshot_is_there() -> None:
    assert {file.stem for file in FOLDER.glob("*.png")} == {shot.name for shot in SHOTS}
