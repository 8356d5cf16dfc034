"""Exports of untrained networks, and an engine that serves them."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest

os.environ.setdefault("GOMP_SPINCOUNT", "0")  # read when torch is imported

from models.spec.resolve import resolve
from serving.engine import Engine
from tests.support.exports import write_vivid


class WriteExport(Protocol):
    def __call__(self, family: str, dataset: str | None = None, seed: int = 1, **overrides: Any) -> Path: ...


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> WriteExport:
    """Write the export of a recipe once per test file and return its path."""
    folder = tmp_path_factory.mktemp("exports")

    def write(family: str, dataset: str | None = None, seed: int = 1, **overrides: Any) -> Path:
        recipe = resolve(family, dataset=dataset, seed=seed, overrides=overrides or None)[1]
        digest = hashlib.sha256(recipe.model_dump_json().encode()).hexdigest()[:16]
        path = folder / f"{family}-{digest}.safetensors"
        if not path.exists():
            write_vivid(path, recipe)
        return path

    return write


@pytest.fixture
def engine() -> Iterator[Engine]:
    engine = Engine(device="cpu", threads=1)
    yield engine
    engine.close()
