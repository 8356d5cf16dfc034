"""Turn any failure of a command into one sentence on stderr and exit code 2."""

import sys
from typing import TYPE_CHECKING

import typer
from typer.core import TyperGroup

if TYPE_CHECKING:
    from models.spec.wording import Refusal as Refused

FOLLOWS = "default_factory_not_called"
"""a setting that is only wrong because another is"""


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
    """Return the sentence for a refusal, a service that does not answer, a file, or the settings."""
    from pydantic import ValidationError

    from app.core.disk_full import no_room
    from app.embedded.processes import CannotServe
    from app.remote.problems import ForgerProblem, Unreachable

    match error:
        case Refusal() | ForgerProblem() | Unreachable() | CannotServe():
            return str(error)
        case OSError() if error.strerror:
            return f"{error.filename}: {error.strerror}." if error.filename else f"{error.strerror}."
        case ValidationError() if error.title == "Settings":
            from app.core.settings import Settings
            from models.spec import wording

            wrong = [part for part in error.errors(include_url=False) if part["type"] != FOLLOWS]
            named = [{**part, "loc": (_variable(part["loc"]), *part["loc"][1:])} for part in wrong]
            own = Settings.model_json_schema(by_alias=False)
            fields = {_variable((name,)): field for name, field in own["properties"].items()}
            schema = wording.without_null({**own, "properties": fields})
            return " ".join(_naming(refusal) for refusal in wording.refusals(named, schema))
        case _ if _of_the_database(error):
            if (refusal := no_room(error)) is not None:
                return refusal.detail
            return f"The database cannot be used: {str(error).splitlines()[0].rstrip('.')}. Check DATABASE_URL."
        case _:
            return None


def _naming(refusal: "Refused") -> str:
    """A sentence that names the variable."""
    name, message = refusal.pointer[1:], refusal.message.rstrip(".") + "."
    return message if name in message else f"{name}: {message}"


def _of_the_database(error: Exception) -> bool:
    """Without importing SQLAlchemy for a command that never did."""
    library = sys.modules.get("sqlalchemy.exc")
    return library is not None and isinstance(error, library.SQLAlchemyError)


def _variable(loc: tuple[int | str, ...]) -> str:
    name = str(loc[0]).upper()
    return name if name.endswith("_URL") else f"FORGER_{name}"
