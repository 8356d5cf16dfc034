"""Choose the model version for a request.

A thread refreshes a snapshot of the versions; a request reads the database only if the snapshot has none that suits.
"""

import asyncio
import threading
from collections.abc import Callable, Mapping

from sqlalchemy.exc import SQLAlchemyError

from app.core.errors import Conflict, FieldError, ForgerError, Invalid, NotFound
from app.core.logging import get_logger
from app.core.settings import link
from app.services.datasets import catalog
from app.services.inference.capabilities import (
    BACK_TRANSLATION,
    CLASS_SAMPLING,
    INPAINTING,
    SAMPLING,
    TRANSLATION,
    Capability,
)
from app.services.jobs import lifecycle
from app.services.models import registry
from app.services.views import JobView, VersionView
from forger.wire import TRAIN, JobState
from models.spec.datasets import DATASETS, DatasetInfo
from serving.protocol import Direction

log = get_logger(__name__)

REFRESH_PERIOD_S = 0.5
_UNFINISHED = (JobState.RUNNING, JobState.QUEUED, JobState.PAUSING, JobState.PAUSED)


class Versions:
    """The model versions that one API process knows.

    `on_refresh` is called after each refresh, and told whether there is a version.
    """

    def __init__(self, on_refresh: Callable[[bool], None] = lambda _: None) -> None:
        self._on_refresh = on_refresh
        self._versions: tuple[VersionView, ...] = ()
        self._defaults: tuple[VersionView, ...] = ()
        """the versions in the order in which a request without a model chooses them"""
        self._mark: registry.ChangeMark | None = None
        self._datasets: Mapping[str, DatasetInfo] = DATASETS
        self._refresh_lock = threading.Lock()
        self._stop = threading.Event()
        self._refresher = threading.Thread(target=self._refresh_periodically, name="model-snapshot", daemon=True)

    def start(self) -> None:
        self._refresher.start()

    def stop(self) -> None:
        self._stop.set()
        self._refresher.join()

    def ensure(self, model: str) -> None:
        """Refresh the snapshot if it lacks a version whose name a client is about to receive."""
        if not any(version.reference == model for version in self._versions):
            self.refresh()

    def refresh(self) -> None:
        """Read the model versions and datasets from the database."""
        with self._refresh_lock:  # otherwise an older snapshot could replace a newer one
            mark, versions = registry.versions_since(self._mark)
            # read after the models, whose datasets cannot be deleted before them
            self._datasets = catalog.all_datasets()
            if versions is not None:
                self._mark, self._versions = mark, tuple(versions)
                self._defaults = tuple(sorted(versions, key=lambda version: version.of_augmentation))
        self._on_refresh(bool(self._versions))

    def class_names(self, version: VersionView) -> tuple[str, ...]:
        """Return the names of the version's classes, in order of their numbers."""
        return catalog.class_names(version.recipe, self._datasets)

    async def sampler(self, model: str | None, wanted: str | None) -> VersionView:
        """Return the newest version that can draw, and that has the class `wanted` if one is given.

        If none has the class, return the newest of those with classes.
        """
        versions = await self._capable(SAMPLING if wanted is None else CLASS_SAMPLING, model)
        suitable = (version for version in versions if wanted is None or self._has_class(version, wanted))
        return next(suitable, versions[0])

    def _has_class(self, version: VersionView, wanted: str) -> bool:
        try:
            return wanted == "each" or catalog.class_number(self.class_names(version), wanted) >= 0
        except Invalid:
            return False

    async def translator(self, model: str | None, direction: Direction = "a2b") -> VersionView:
        """Return the newest version that can translate in this direction."""
        version = await self.newest(TRANSLATION, model)
        return version if direction == "a2b" else await self.newest(BACK_TRANSLATION, model)

    async def inpainter(self, model: str | None) -> VersionView:
        """Return the newest version that can fill holes; without `model` translators come before generators."""
        versions = await self._capable(INPAINTING, model)
        translators = (version for version in versions if model is None and version.recipe.fills_holes)
        return next(translators, versions[0])

    async def newest(self, capability: Capability, model: str | None) -> VersionView:
        """Return the newest version with a capability; of those that `model` refers to, if it is given."""
        return (await self._capable(capability, model))[0]

    async def _capable(self, capability: Capability, model: str | None) -> list[VersionView]:
        """Return capable versions from the snapshot, or if it has none, from the database."""
        return self._find(capability, model) or await asyncio.to_thread(self.capable, capability, model)

    def capable(self, capability: Capability, model: str | None) -> list[VersionView]:
        """Return the versions in the database that have a capability, at least one, newest first.

        `model` is a reference that they must match. Raises NotFound, Conflict, Invalid.
        """
        self.refresh()
        if versions := self._find(capability, model):
            return versions
        raise self._no_version(capability, model)

    def _find(self, capability: Capability, model: str | None) -> list[VersionView]:
        """Return the capable versions of the snapshot, newest first; without `model` those of augmentations last.

        Raises Invalid if only incapable ones match `model`.
        """
        matching = self._defaults if model is None else registry.matching(model, self._versions)
        capable = [version for version in matching if capability.suits(version.recipe)]
        if model is not None and matching and not capable:
            sentence = f"{matching[0].reference} {capability.refusal}."
            raise Invalid(sentence, code="model_cannot", errors=(FieldError(capability.pointer, sentence),))
        return capable

    def _no_version(self, capability: Capability, model: str | None) -> ForgerError:
        name = None if model is None else registry.parse(model)[0]
        for job in _unfinished_trainings():
            if job.model_name == name or (name is None and capability.suits(job.recipe)):
                progress = f"job {job.id} is {job.state} at step {job.step} of {job.total or 'not yet known'}"
                sentence = f"'{job.model_name}' is still training: {progress}. Ask again when it has succeeded."
                return Conflict(sentence, code="still_training")
        if model is not None and self._versions:
            return registry.not_found(model)
        sentence = "No model can do this yet." if model is None else registry.not_found_sentence(model)
        return NotFound(
            f"{sentence} POST {link('/jobs')} trains one, with the body {capability.example}.", code="no_model"
        )

    def _refresh_periodically(self) -> None:
        while not self._stop.is_set():
            try:
                self.refresh()
            except SQLAlchemyError as error:  # the database may be restarting: the next round tries again
                log.warning("model_snapshot_failed", error=str(error))
            self._stop.wait(REFRESH_PERIOD_S)


def _unfinished_trainings() -> list[JobView]:
    """Return the newest hundred trainings of each state, in the order of _UNFINISHED."""
    return [job for state in _UNFINISHED for job in lifecycle.list_jobs(limit=100, state=state, kind=TRAIN)[0]]
