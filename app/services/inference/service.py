"""The served models: which version answers a request, and the engine that draws and translates.

Model versions come from a snapshot that a small thread refreshes: requests touch the database only when it misses.
"""

import asyncio
import math
import os
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TypeVar

from sqlalchemy.exc import SQLAlchemyError

from app.core.errors import Busy, Conflict, FieldError, ForgerError, Invalid, NoEngine, NotFound, NotReady
from app.core.gc_freeze import uncollected
from app.core.limiter import Gate
from app.core.logging import get_logger
from app.core.settings import Settings, link
from app.core.store import Store
from app.services.datasets import catalog
from app.services.jobs import lifecycle
from app.services.models import registry
from app.services.views import JobView, VersionView
from forger.wire import TRAIN, JobState
from models.spec.datasets import DATASETS, DatasetInfo
from models.spec.recipe import Recipe
from serving.protocol import AnyEngine, Array, Direction, ExportFlawed, Overloaded, Pick

log = get_logger(__name__)

WITHOUT_TORCH = (
    "This API process has no engine, because torch is not installed beside it: "
    "send what needs the networks to an API that runs where torch is, as in the image `worker`, "
    "or set FORGER_INFERENCE=workers here and run `forger serve --only inference` there."
)
T = TypeVar("T")
Then = Callable[[Future[Array]], Awaitable[T]]
REFRESH_S = 0.5
LOAD_S = 60.0
PUBLISHING = 4
"""checkpoints that may be published at once: each holds a thread of the API while it waits for the one before it"""
_STILL = (JobState.RUNNING, JobState.QUEUED, JobState.PAUSING, JobState.PAUSED)


@dataclass(frozen=True)
class Task:
    """What is asked of a model: who can, what is said to one that cannot, and what would train one that can."""

    able: Callable[[Recipe], bool]
    pointer: str
    lack: str
    train: str


SAMPLING = Task(
    lambda recipe: recipe.generates,
    "/model",
    "draws nothing from noise; leave `model` out for the newest that does",
    '{"recipe": "dcgan", "dataset": "digits"}',
)
CLASSES = Task(
    lambda recipe: recipe.class_conditional,
    "/class",
    "knows no classes; leave `class` out, or name a model trained with classes",
    '{"recipe": "cdcgan", "dataset": "digits"}',
)
TRANSLATION = Task(
    lambda recipe: recipe.translates,
    "/model",
    "translates nothing; leave `model` out for the newest that does",
    '{"recipe": "cyclegan", "dataset": "day2night"}',
)
BACK = Task(
    lambda recipe: recipe.game.kind == "unpaired",
    "/direction",
    "translates one way only: leave `direction` out, or name a model trained both ways",
    TRANSLATION.train,
)


def health_header(version: VersionView) -> dict[str, str]:
    """`Forger-Health: troubled; kind=collapse; step=400`; none where nobody noted it."""
    if version.health is None:
        return {}
    known = {name: version.health[name] for name in ("kind", "step") if version.health[name] is not None}
    words = [version.health["state"], *(f"{name}={value}" for name, value in known.items())]
    return {"Forger-Health": "; ".join(words)}


class Inference:
    """One per API process. `start` returns at once: torch is imported beside it, once there is use for it.

    That is when there is a model, or when somebody asks for what only networks can tell: without either a service
    starts sooner and takes half the memory.

    Whoever stops awaiting an answer withdraws the request: it is dropped before it reaches a network.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._store = Store(settings.artifacts)
        self._versions: tuple[VersionView, ...] = ()
        self._mark: registry.Mark | None = None
        self._datasets: Mapping[str, DatasetInfo] = DATASETS
        self._engine: Future[AnyEngine] = Future()
        self._exporting = threading.Lock()
        self._rebuilding = threading.Lock()
        self._refreshing = threading.Lock()
        full = f"{PUBLISHING} checkpoints are being published already. Send this one later."
        self._publishing = Gate(PUBLISHING, full, retry_after=10)
        self._stop = threading.Event()
        self._wanted = threading.Event()
        """set once there is use for an engine"""
        self._idle = False
        """whether the process was whole without one: whoever comes later waits for it, and it stays ready"""
        self._loader = threading.Thread(target=self._load, name="engine-loader", daemon=True)
        self._refresher = threading.Thread(target=self._watch, name="model-snapshot", daemon=True)

    def start(self) -> None:
        if self._settings.inference == "workers" or find_spec("torch") is None:
            self._wanted.set()  # it costs nothing, and what this process lacks is known at once
        self._loader.start()
        self._refresher.start()

    def stop(self) -> None:
        self._stop.set()
        self._wanted.set()
        self._refresher.join()
        self._loader.join()
        if self._engine.exception() is None:
            self._engine.result().close()

    def health(self) -> str | None:
        """None, or what keeps the engine from answering."""
        if not self._engine.done():
            return None if self._idle else "The engine is loading."
        error = self._engine.exception()
        return None if error is None or isinstance(error, NoEngine) else str(error)

    def absence(self) -> str | None:
        """Return why this process needs no engine, or None where it has one or should have one."""
        error = self._engine.exception() if self._engine.done() else None
        return str(error) if isinstance(error, NoEngine) else None

    def load(self) -> tuple[int, tuple[int, ...]] | None:
        """The engine's, None while there is none."""
        if not self._engine.done() or self._engine.exception() is not None:
            return None
        return self._engine.result().load()

    def notice(self, model: str) -> None:
        """A client is about to learn of this version: it must find it here."""
        if not any(version.reference == model for version in self._versions):
            self.refresh()

    def refresh(self) -> None:
        with self._refreshing:  # else what was read earlier could be put in place later
            mark, versions = registry.versions_but(self._mark)
            self._datasets = catalog.all_datasets()  # a dataset outlives its models: read later, it is there
            if versions is not None:
                self._mark, self._versions = mark, tuple(versions)
        if self._versions:
            self._wanted.set()
        elif not self._wanted.is_set():
            self._idle = True

    def class_names(self, version: VersionView) -> tuple[str, ...]:
        return catalog.class_names(version.recipe, self._datasets)

    async def sampler(self, model: str | None, wanted: str | None) -> VersionView:
        """The newest version that can draw, and knows the class when one is wanted."""
        able = await self._able(SAMPLING if wanted is None else CLASSES, model)
        return next((version for version in able if wanted is None or self._knows(version, wanted)), able[0])

    def _knows(self, version: VersionView, wanted: str) -> bool:
        try:
            return wanted == "each" or catalog.class_number(self.class_names(version), wanted) >= 0
        except Invalid:
            return False

    async def translator(self, model: str | None, direction: Direction = "a2b") -> VersionView:
        """The newest version that can translate this way."""
        able = await self._able(TRANSLATION, model)
        return able[0] if direction == "a2b" else (await self._able(BACK, model))[0]

    async def admit(self) -> None:
        """Before anything costly is done for a request. Raises Busy where not one more picture may wait."""
        engine = await self._ready()
        with self._shedding():
            engine.check()

    async def sample(
        self, version: VersionView, picks: Sequence[Pick], then: Then[T], *, seed: int, temperature: float
    ) -> T:
        """What follows upon the pictures: `then` is given them while they are still being made."""
        path = self._store.path(version.export_sha256)
        return await self._ask(
            version, lambda engine: then(engine.sample(path, picks, seed=seed, temperature=temperature))
        )

    async def translate(self, version: VersionView, image: Array, then: Then[T], *, direction: Direction) -> T:
        """As `sample`, of a picture [h, w, c] that is translated."""
        path = self._store.path(version.export_sha256)
        pixels = math.prod(version.recipe.canvas(*image.shape[:2]))
        return await self._ask(version, lambda engine: then(engine.translate(path, image, direction, pixels=pixels)))

    async def _ask(self, version: VersionView, request: Callable[[AnyEngine], Awaitable[T]]) -> T:
        """Rebuild the version's export where its file is damaged, and ask again. Raises Conflict."""
        try:
            return await self._ask_once(request)
        except ExportFlawed as flawed:
            await asyncio.to_thread(self._rebuild, version, flawed.how)
        return await self._ask_once(request)

    def _rebuild(self, version: VersionView, how: str) -> None:
        with self._rebuilding:
            if self._store.flaw(version.export_sha256) is not None:
                log.error("export_damaged", model=version.reference, how=how)
                registry.rebuild(version, how, self.export)

    async def _ask_once(self, request: Callable[[AnyEngine], Awaitable[T]]) -> T:
        engine = await self._ready()
        with self._shedding():
            return await _within(engine.deadline, request(engine))

    @contextmanager
    def _shedding(self) -> Iterator[None]:
        try:
            yield
        except Overloaded as full:
            sentence = f"{full} At most {self._settings.queue_pictures} pictures may wait (queue_pictures)."
            raise Busy(sentence, retry_after=full.retry_after) from full

    async def _ready(self) -> AnyEngine:
        """Requests that come before torch is imported wait for it."""
        if self._engine.done() and self._engine.exception() is None:
            return self._engine.result()
        self._wanted.set()
        waiting: Awaitable[AnyEngine] = asyncio.shield(asyncio.wrap_future(self._engine))
        try:
            return await asyncio.wait_for(waiting, LOAD_S)
        except TimeoutError:
            raise _loading() from None
        except NotReady as reason:
            raise type(reason)(reason.detail) from None

    async def _able(self, task: Task, model: str | None) -> list[VersionView]:
        """Newest first, at least one. A miss looks into the database once before it is an answer."""
        return self._find(task, model) or await asyncio.to_thread(self.able, task, model)

    def able(self, task: Task, model: str | None) -> list[VersionView]:
        """As the database has it now: newest first, at least one. Raises NotFound, Conflict, Invalid."""
        self.refresh()
        if found := self._find(task, model):
            return found
        raise self._absence(task, model)

    def _find(self, task: Task, model: str | None) -> list[VersionView]:
        named = self._versions if model is None else registry.named(model, self._versions)
        able = [version for version in named if task.able(version.recipe)]
        if model is not None and named and not able:
            sentence = f"{named[0].reference} {task.lack}."
            raise Invalid(sentence, code="model_cannot", errors=(FieldError(task.pointer, sentence),))
        return able

    def _absence(self, task: Task, model: str | None) -> ForgerError:
        name = None if model is None else registry.parse(model)[0]
        for job in _unfinished():
            if job.model_name == name or (name is None and task.able(job.recipe)):
                progress = f"job {job.id} is {job.state} at step {job.step} of {job.total or 'not yet known'}"
                sentence = f"'{job.model_name}' is still training: {progress}. Ask again when it has succeeded."
                return Conflict(sentence, code="still_training")
        if model is not None and self._versions:
            return registry.absent(model)
        what = "No model can do this yet." if model is None else registry.lack(model)
        return NotFound(f"{what} POST {link('/jobs')} trains one, with the body {task.train}.", code="no_model")

    def publishing(self) -> AbstractContextManager[None]:
        """Around all of a publishing. Raises Busy."""
        return self._publishing.entered()

    def export(self, recipe: Recipe, saved: Path, out: Path, *, threads: int) -> None:
        """Makes the export of a checkpoint, one at a time, on the caller's thread. Raises NotReady."""
        engine = self._await()
        with self._exporting:
            engine.export(recipe, saved, out, threads=threads)

    def _await(self, seconds: float = LOAD_S) -> AnyEngine:
        """As `_ready`, for a thread that may block."""
        self._wanted.set()
        try:
            return self._engine.result(seconds)
        except TimeoutError:
            raise _loading() from None
        except NotReady as reason:
            raise type(reason)(reason.detail) from None

    def _load(self) -> None:
        self._wanted.wait()
        if self._stop.is_set():
            self._engine.set_exception(NotReady("The service is stopping."))
            return
        make = local_engine if self._settings.inference == "local" else remote_engine
        try:
            self._engine.set_result(make(self._settings))
        except Exception as error:  # whoever waits must be told, whatever it is
            self._engine.set_exception(_no_engine(error))

    def _watch(self) -> None:
        while not self._stop.is_set():
            try:
                self.refresh()
            except SQLAlchemyError as error:  # the database may be restarting: the next round tries again
                log.warning("model_snapshot_failed", error=str(error))
            self._stop.wait(REFRESH_S)


def local_engine(settings: Settings) -> AnyEngine:
    """The one place where API processes and inference workers meet torch."""
    os.environ.setdefault("GOMP_SPINCOUNT", "0")  # else its threads starve a training process by spinning
    with uncollected("serving.engine"):
        from serving.engine import Engine

    bound, memory = settings.queue_pictures, settings.loaded_bytes
    flaw = Store(settings.artifacts).flaw
    return Engine(device=settings.device, threads=settings.threads, bound=bound, memory=memory, flaw=flaw)


def remote_engine(settings: Settings) -> AnyEngine:
    with uncollected("app.services.inference.remote_engine"):
        from app.services.inference.remote_engine import RemoteEngine

    return RemoteEngine(settings)


def _loading() -> NotReady:
    return NotReady("The engine is still loading.", headers={"Retry-After": "10"})


async def _within(deadline: float | None, answer: Awaitable[T]) -> T:
    """Raises NotReady where a deadline passes."""
    if deadline is None:
        return await answer
    try:
        return await asyncio.wait_for(answer, deadline)
    except TimeoutError:
        sentence = (
            f"No inference worker answered within {deadline:g} s (deadline_s). "
            "Start one with `forger serve --only inference`, or ask for less."
        )
        raise NotReady(sentence, code="no_answer", headers={"Retry-After": "5"}) from None


def _no_engine(error: Exception) -> NotReady:
    """A host without torch is one on purpose; anything else is a fault."""
    if isinstance(error, ModuleNotFoundError) and error.name == "torch":
        log.info("no_engine", reason="torch is not installed")
        return NoEngine(WITHOUT_TORCH)
    log.exception("engine_did_not_start")
    return NotReady(f"The engine did not start: {error}.")


def _unfinished() -> list[JobView]:
    """The newest hundred of each state, the nearest to their end first."""
    return [job for state in _STILL for job in lifecycle.list_jobs(limit=100, state=state, kind=TRAIN)[0]]
