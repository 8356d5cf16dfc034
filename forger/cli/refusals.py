"""Turn any failure of a command into one sentence on stderr and exit code 2."""

import typer
from typer.core import TyperGroup


class Refusal(Exception):
    """A command's own: the text is the sentence."""


class Refusing(TyperGroup):
    """Ends a command with a sentence for every failure that has one; any other is a fault of ours and shows itself."""

    def invoke(self, ctx: typer.Context) -> object:  # type: ignore[override]
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # the reader of our output has left, as `head` does
            raise
        except Exception as error:
            sentence = told(error)
            if sentence is None:
                raise
            typer.echo(sentence, err=True)
            raise typer.Exit(2) from error


def told(error: Exception) -> str | None:
    """Return the sentence for a refusal, a service that does not answer, or a file; None for any other error."""
    from forger.problems import ForgerProblem, Unreachable

    match error:
        case Refusal() | ForgerProblem() | Unreachable():
            return str(error)
        case OSError() if error.strerror:
            return f"{error.filename}: {error.strerror}." if error.filename else f"{error.strerror}."
        case _:
            return None
