"""Parts of a recipe that plugins bring, as values. models.spec.plugins knows which there are."""

import json
from typing import Any, Literal

from pydantic import Field

from models.spec.base import Spec


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
