"""Run `forger serve`, `forger doctor` and `forger migrate`, and word their errors."""

from collections.abc import Callable
from typing import Any

from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError

from app.core.disk_full import no_room
from app.core.settings import Settings, get_settings
from app.embedded import serve as service
from app.embedded.doctor import Finding, examine
from app.embedded.processes import CannotServe
from models.spec import wording

DEPENDENT_ERROR = "default_factory_not_called"
"""pydantic's error type of a setting that is wrong only because another one is"""


def serve(only: service.Part | None, announce: Callable[[str], None]) -> None:
    """Run the service until it is stopped, or turn this process into one part of it."""
    if only is not None:
        service.run_part(get_settings(), only)
    service.serve(get_settings(), announce)


def doctor() -> list[Finding]:
    return examine(get_settings())


def migrate() -> None:
    service.migrate_database()


def error_sentence(error: Exception) -> str | None:
    """Return the sentence for a refusal, a wrong setting or a database error; None for any other error."""
    match error:
        case CannotServe():
            return str(error)
        case ValidationError() if error.title == "Settings":
            return _settings_refused(error)
        case SQLAlchemyError():
            if (refusal := no_room(error)) is not None:
                return refusal.detail
            return f"The database cannot be used: {str(error).splitlines()[0].rstrip('.')}. Check DATABASE_URL."
        case _:
            return None


def _settings_refused(error: ValidationError) -> str:
    wrong: list[Any] = [part for part in error.errors(include_url=False) if part["type"] != DEPENDENT_ERROR]
    by_variable = [{**part, "loc": (_variable(part["loc"]), *part["loc"][1:])} for part in wrong]
    settings = Settings.model_json_schema(by_alias=False)
    fields = {_variable((name,)): field for name, field in settings["properties"].items()}
    schema = wording.without_null({**settings, "properties": fields})
    return " ".join(_with_variable(refusal) for refusal in wording.refusals(by_variable, schema))


def _with_variable(refusal: wording.Refusal) -> str:
    """Return a sentence that names the environment variable."""
    name, message = refusal.pointer[1:], refusal.message.rstrip(".") + "."
    return message if name in message else f"{name}: {message}"


def _variable(loc: tuple[int | str, ...]) -> str:
    name = str(loc[0]).upper()
    return name if name.endswith("_URL") else f"FORGER_{name}"
