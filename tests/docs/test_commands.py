"""The documentation names no command that the command line does not have."""

import re
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from app.core.settings import CHECKOUT
from forger.cli.root import cli

PAGES = sorted([*CHECKOUT.glob("*.md"), *(CHECKOUT / "docs").rglob("*.md")])
IN_SENTENCES = re.compile(r"`forger ([^`\n]+)`")
SHELL_BLOCKS = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
IN_SHELL = re.compile(r"(?:^|[|&;(]) *forger (.+)", re.MULTILINE)
COMMANDS = get_command(cli)
NAME = re.compile(r"[a-z][a-z-]*")


def commands(page: str) -> Iterator[str]:
    """Yield what follows `forger` in a page's code."""
    yield from IN_SENTENCES.findall(page)
    for block in SHELL_BLOCKS.findall(page):
        yield from IN_SHELL.findall(block)


def missing(line: str) -> str | None:
    """Return the name in the line that is no command; None if all are."""
    command: object = COMMANDS
    for name in takewhile(NAME.fullmatch, line.split()):
        if not isinstance(command, TyperGroup):
            return None
        if name not in command.commands:
            return name
        command = command.commands[name]
    return None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(CHECKOUT)))
def test_commands_of_the_documentation_exist(page: Path) -> None:
    unknown = [f"forger {line}" for line in commands(page.read_text()) if missing(line)]
    assert not unknown, "forger --help lists the commands that there are"


def test_a_command_that_does_not_exist_is_found() -> None:
    (line,) = commands("`forger upload` takes the folder.")
    assert missing(line) == "upload"
    (line,) = commands("```sh\ncat list | forger datasets uplod pets.zip --name pets\n```")
    assert missing(line) == "uplod"
    assert missing("datasets upload pets.zip --name pets") is None
    assert missing("train NAME") is None
