"""Checks that names in files exist: commands with their options, modules, addresses."""

import importlib.util
from collections.abc import Sequence

import typer.main

from app.core.settings import get_settings
from app.main import create_app
from forger.cli.root import cli


def accepted(words: Sequence[str]) -> bool:
    """Return True if `forger` accepts these words, else raise; the command is not run."""
    name, *options = words
    command = typer.main.get_command(cli).get_command(None, name)  # type: ignore[attr-defined]
    command.make_context(name, list(options))
    return True


def imported(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def routes() -> set[str]:
    return set(create_app(get_settings()).openapi()["paths"])
