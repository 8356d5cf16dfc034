"""The environment variables of the settings."""

from pydantic.fields import FieldInfo


def environment_variable(name: str, field: FieldInfo) -> str:
    """Return the variable of a setting: its name in upper case, with the prefix unless it has an alias."""
    return name.upper() if field.validation_alias else f"FORGER_{name.upper()}"
