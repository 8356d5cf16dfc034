"""Whole requests for jobs that use a model, as the services take them; tests change single members."""

from typing import Any

EVALUATION: dict[str, Any] = {
    "model": None, "checkpoint": None, "n": 500, "features": "own", "seed": 3, "figures": None,
}  # fmt: skip
GENERATION: dict[str, Any] = {
    "model": None, "n": None, "classes": None, "seed": 3, "temperature": 1.0, "format": "zip", "shard": 10,
}  # fmt: skip
TRANSLATION: dict[str, Any] = {
    "model": None, "dataset": "digits", "direction": "a2b", "format": "zip", "shard": 500,
}  # fmt: skip
