"""Base classes of a recipe's parts: frozen values that refuse unknown fields."""

import json
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class Spec(BaseModel):
    """Base class: a frozen pydantic value that refuses unknown fields, NaN and infinities."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)


class FromPlugin(Spec):
    """An objective or a penalty of a plugin (docs/extending.md), by its name."""

    kind: Literal["plugin"] = "plugin"
    name: str = Field(max_length=100)
    settings: dict[str, Any] = Field({})
    """the part's settings, as the plugin defines them"""

    def __hash__(self) -> int:
        return hash((self.name, json.dumps(self.settings, sort_keys=True)))


class PluginUsed(Spec):
    """A plugin whose parts a recipe uses, in the version at the recipe's creation."""

    name: str = Field(max_length=100)
    version: str = Field(max_length=200)
    """name and version of its distribution; or sha256: and the first digits of its files' checksum"""
