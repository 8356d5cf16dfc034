"""Turn each failure of a command into one sentence on stderr and exit code 2."""

import typer
from typer.core import TyperGroup


class Refusal(Exception):
    """A refusal of the command line itself: the text is the sentence."""


class RefusingGroup(TyperGroup):
    """A group whose commands end with a sentence for each failure that has one; other failures show their traceback."""

    def invoke(self, ctx: typer.Context) -> object:  # type: ignore[override]
        try:
            return super().invoke(ctx)
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
        case _:
            return None
