"""Bring in a file of weights as a version of a model: read it in a sandbox, try it, store it as an export of ours.

The children of the sandbox import torch; this process does not.
"""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from secrets import token_hex
from typing import Any

from app.core.concurrency import Limiter
from app.core.errors import NoEngine
from app.core.sandbox.parent import Sandbox
from app.core.settings import Settings
from app.core.store import Store, sha256_of
from app.services.capacity import admission
from app.services.models import registry
from app.services.views import VersionView
from models.spec.nets import MIN_TRANSLATED_SIDE
from models.spec.recipe import Recipe
from models.spec.upgrade import read_recipe

MAX_IMPORTS = 2
"""files that are imported at the same time"""
TASKS = "serving.foreign.tasks"
CHILD_BYTES = 4 << 30
"""memory of a child: the file, what it becomes, and torch"""
READING_S = 60.0
TRIAL_S = 120.0
NO_TORCH = (
    "This API process cannot read weights, because torch is not installed: send the file to an API with torch, as in "
    "the image `worker`."
)


@dataclass(frozen=True)
class Files:
    """The files of an import: the weights, and for a model that translates both ways those of the way back."""

    weights: Path
    b2a: Path | None = None

    def facts(self) -> dict[str, Any]:
        """Return their digests and sizes, for the card."""
        facts = {"file_sha256": sha256_of(self.weights), "file_bytes": self.weights.stat().st_size}
        if self.b2a is None:
            return facts
        return facts | {"b2a_sha256": sha256_of(self.b2a), "b2a_bytes": self.b2a.stat().st_size}


class Imports:
    """The imports of one API process."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._store = Store(settings.artifacts)
        full = f"{MAX_IMPORTS} models are being imported already. Send this one later."
        self.limiter = Limiter(MAX_IMPORTS, full, retry_after=30)
        self.folder = settings.incoming

    def require_ready(self) -> None:
        """Raise NoRoom or NoEngine, before a file is received, if none can be imported."""
        if find_spec("torch") is None:
            raise NoEngine(NO_TORCH)
        admission.require_room()

    def take(self, files: Files, name: str, licence: str | None, source: str | None) -> VersionView:
        """Add the files' model as the next version of `name`. Raises Invalid, UnsupportedMedia, NoRoom.

        If it raises, no version is added.
        """
        with self._export_of(files) as (export, facts):
            with self._child() as child:
                limits: dict[str, Any] = {"seconds": TRIAL_S, "cpu_seconds": TRIAL_S}
                measured = child.run("trial", export, self._settings.max_pixels, **limits, code="trial_failed")
            recipe = read_recipe(facts["recipe"])
            card = {
                "imported": {
                    "layout": facts["layout"],
                    "licence": licence,
                    "source": source,
                    **files.facts(),
                    "parameters": facts["parameters"],
                    "precision": "fp32",
                    **_pictures(recipe),
                    **measured,
                    "notes": facts["notes"],
                }
            }
            size = export.stat().st_size
            registry.require_stored(size)
            sha256 = self._store.put_file(export)
        return registry.add_imported(name, recipe, facts["step"], sha256, size, card)

    @contextmanager
    def _export_of(self, files: Files) -> Iterator[tuple[Path, dict[str, Any]]]:
        """Yield the export that the files are or become, and facts about it; a new file is deleted afterwards."""
        unpacked, made = (self.folder / f"upload-{token_hex(8)}" for _ in range(2))
        try:
            with self._child() as child:
                weights = _fetched(child, _read(child, "unpack", files.weights), unpacked) or files.weights
                facts = _read(child, "accept", weights, files.b2a, self._settings.max_parameters)
                export = _fetched(child, facts["converted_bytes"], made) or weights
            yield export, facts
        finally:
            unpacked.unlink(missing_ok=True)
            made.unlink(missing_ok=True)

    @contextmanager
    def _child(self) -> Iterator[Sandbox]:
        """Yield a fresh child: what one file takes is measured, and nothing of it stays."""
        with closing(Sandbox(1, CHILD_BYTES, readable=(self.folder,), module=TASKS)) as child:
            yield child


def _read(child: Sandbox, task: str, *args: Any) -> Any:
    """Run a task in the child, within the time that it may take to read the files that were sent."""
    return child.run(task, *args, seconds=READING_S, cpu_seconds=READING_S, code="unreadable_weights")


def _fetched(child: Sandbox, size: int, path: Path) -> Path | None:
    """Write what the child made of a file, `size` bytes, to a new file; None if it made nothing."""
    if not size:
        return None
    with path.open("xb") as out:
        while out.tell() < size:
            out.write(_read(child, "piece", out.tell()))
    return path


def _pictures(recipe: Recipe) -> dict[str, Any]:
    """Return what the version takes and gives: ranges, channels in order, and rules for sides."""
    if recipe.data.kind in ("points", "sequences"):
        return {}
    output = _form(recipe.shape[0])
    if recipe.translates:
        sides = {"side_multiple": recipe.side_multiple, "min_side": MIN_TRANSLATED_SIDE, "other_sides": "reflected"}
        return {"input": _form(recipe.source_channels) | sides, "output": output | {"times_larger": recipe.upscaling}}
    latent = recipe.latent.model_dump(mode="json")
    return {"input": {"latent": latent, "classes": recipe.classes}, "output": output | {"side": recipe.shape[1]}}


def _form(channels: int) -> dict[str, Any]:
    return {"range": [-1, 1], "channels": channels, "order": {1: "grey", 3: "RGB"}.get(channels)}
