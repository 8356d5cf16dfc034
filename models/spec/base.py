"""Base classes of a recipe's parts: frozen values that refuse unknown fields."""

import json
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class Spec(BaseModel):
    """A frozen pydantic value. Unknown fields, NaN and infinities are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)


class FromPlugin(Spec):
    """An objective or a penalty of a plugin (docs/extending.md), by its name."""

    kind: Literal["plugin"] = "plugin"
    name: str = Field(max_length=100)
    settings: dict[str, Any] = Field({})
    """what the plugin wants to know"""

    def __hash__(self) -> int:
        return hash((self.name, json.dumps(self.settings, sort_keys=True)))


class PluginUsed(Spec):
    """A plugin that a recipe takes parts from, as it was when the recipe was made."""

    name: str = Field(max_length=100)
    version: str = Field(max_length=200)
    """of its distribution; or sha256: and the beginning of its files' sum"""
