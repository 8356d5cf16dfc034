"""What is said when a job has succeeded: the next line to type."""

from types import SimpleNamespace
from typing import Any

import pytest

from app.cli.follow import next_line
from models.spec.resolve import resolve


@pytest.mark.parametrize(
    ("family", "line"),
    [
        ("cyclegan", "forger translate photo.jpg -o translated.png --model m@1"),
        ("srgan", "forger translate photo.jpg -o translated.png --model m@1"),
        ("inpaint", "forger translate hole.png -o translated.png --model m@1"),
        ("cdcgan", "forger sample --class each -n 10 --scale 8 -o digits.png --model m@1"),
    ],
)
def test_the_next_line_shows_what_was_learned(family: str, line: str) -> None:
    job: Any = SimpleNamespace(model="m@1", seen=SimpleNamespace(recipe=resolve(family)[1]))
    assert next_line(job) == line
