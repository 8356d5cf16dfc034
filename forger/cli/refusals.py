"""Turn each failure of a command into one sentence on stderr and exit code 2."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer
from typer.core import TyperGroup

from forger.text import alternatives

UsageError: type[Exception] = typer.BadParameter.__mro__[1]
"""the error of a command that is not understood; typer exports only its subclass BadParameter"""


class Refusal(Exception):
    """A refusal of the command line itself: the text is the sentence."""


class RefusingGroup(TyperGroup):
    """A group whose commands end with a sentence for each failure that has one; other failures show their traceback."""

    def make_context(self, *args: Any, **extra: Any) -> Any:
        with _refusing():
            return super().make_context(*args, **extra)

    def invoke(self, ctx: typer.Context) -> object:  # type: ignore[override]
        with _refusing():
            return super().invoke(ctx)


@contextmanager
def _refusing() -> Iterator[None]:
    """Print the sentence of a failure in the block, and end the command."""
    try:
        yield
    # The reader of the output has ended, as `head` does.
    except BrokenPipeError:
        raise
    except Exception as error:
        sentence = error_sentence(error)
        if sentence is None:
            raise
        typer.echo(sentence, err=True)
        raise typer.Exit(2) from error


def error_sentence(error: Exception) -> str | None:
    """Return the sentence for a refusal, a service that does not answer, or a file error; None for any other error."""
    from forger.problems import ForgerProblem, Unreachable

    match error:
        case Refusal() | ForgerProblem() | Unreachable():
            return str(error)
        case OSError() if error.strerror:
            return f"{error.filename}: {error.strerror}." if error.filename else f"{error.strerror}."
        case _ if isinstance(error, UsageError):
            return _usage_sentence(error)
        case _:
            return None


def _usage_sentence(error: Exception) -> str | None:
    """Return the sentence for a command that is not understood; None if its help is printed, as it has no words."""
    if type(error).__name__ == "NoArgsIsHelpError":
        return None
    ctx: typer.Context | None = getattr(error, "ctx", None)
    see = "" if ctx is None else f" `{ctx.command_path} --help` describes the command."
    if not isinstance(error, typer.BadParameter) or error.param is None:
        sentence = error.format_message()  # type: ignore[attr-defined]
        return f"{sentence if sentence.endswith(('.', '?')) else sentence.rstrip('.') + '.'}{see}"
    option = error.param.opts[0].startswith("-")
    name = max(error.param.opts, key=len) if option else error.param.metavar or error.param.name
    # Without a message the value is missing.
    return f"{name} {_fault(error)}" if error.message else f"{name} is missing.{see}"


def _fault(error: typer.BadParameter) -> str:
    """Return the value and what is allowed, in the words of the service's refusals: `is 0: write a whole number`."""
    from pydantic import ValidationError

    if not isinstance(error.__cause__, ValidationError):
        return f"is refused: {error.message.rstrip('.')}."
    fault = error.__cause__.errors()[0]
    limits, value = fault.get("ctx", {}), fault["input"]
    match fault["type"]:
        case "greater_than_equal":
            return f"is {value}: write a whole number of {limits['ge']} or more."
        case "less_than_equal":
            return f"is {value}: write a whole number of at most {limits['le']}."
        case "value_error" if choices := getattr(getattr(error.param, "type_descriptor", None), "choices", None):
            return f"is '{value}': write {alternatives(choices)}."
        case kind if kind.startswith("int_"):
            return f"is '{value}': write a whole number."
        case kind if kind.startswith("float_"):
            return f"is '{value}': write a number."
        case _:
            return f"is '{value}': {fault['msg'].rstrip('.')}."
