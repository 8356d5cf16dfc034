"""Serve models: start the engine when it is needed, and pass it the requests."""

import asyncio
import math
import os
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TypeVar

from app.core.concurrency import Limiter
from app.core.errors import Busy, NoEngine, NotReady
from app.core.gc_freeze import import_without_gc
from app.core.logging import get_logger
from app.core.settings import Settings
from app.core.store import Store
from app.services.inference.latents import Codes
from app.services.inference.versions import Versions
from app.services.models import checkpoints, registry
from app.services.views import VersionView
from models.spec.recipe import Recipe
from serving.protocol import AnyEngine, Array, CriticFile, Direction, ExportFlawed, Method, Overloaded, Pick, Turns

log = get_logger(__name__)

NO_TORCH = (
    "This API process has no engine, because torch is not installed: "
    "send requests that need the networks to an API with torch, as in the image `worker`, "
    "or set FORGER_INFERENCE=workers here and run `forger serve --only inference` there."
)
T = TypeVar("T")
UseOfFuture = Callable[[Future[Array]], Awaitable[T]]
LOAD_TIMEOUT_S = 60.0
MAX_PUBLISHING = 4
"""checkpoints that may be published at a time; each blocks a thread while it waits for the one before it"""


def health_header(version: VersionView) -> dict[str, str]:
    """Return the header, for example `Forger-Health: troubled; kind=collapse; step=400`; {} if health is unknown."""
    if version.health is None:
        return {}
    details = {name: version.health[name] for name in ("kind", "step") if version.health[name] is not None}
    words = [version.health["state"], *(f"{name}={value}" for name, value in details.items())]
    return {"Forger-Health": "; ".join(words)}


class Inference:
    """The served models and the engine of one API process.

    `start` returns at once. A thread imports torch as soon as the engine is needed: when there is a model, or when a
    request needs the networks. Until then a service starts sooner and takes half the memory.

    A caller that stops awaiting a reply withdraws the request: it is dropped before it reaches a network.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._store = Store(settings.artifacts)
        self.versions = Versions(self._refreshed)
        self._engine: Future[AnyEngine] = Future()
        self._export_lock = threading.Lock()
        self._rebuild_lock = threading.Lock()
        full = f"{MAX_PUBLISHING} checkpoints are being published already. Send this one later."
        self._publish_limiter = Limiter(MAX_PUBLISHING, full, retry_after=10)
        self._stop = threading.Event()
        self._engine_needed = threading.Event()
        """set when the engine is needed"""
        self._ready_without_engine = False
        """whether the process was ready without an engine: it stays ready, and later requests wait for the engine"""
        self._loader = threading.Thread(target=self._load, name="engine-loader", daemon=True)

    def start(self) -> None:
        if self._settings.inference == "workers" or find_spec("torch") is None:
            self._engine_needed.set()  # loading costs nothing then, and shows at once what is missing
        self._loader.start()
        self.versions.start()

    def stop(self) -> None:
        self._stop.set()
        self._engine_needed.set()
        self.versions.stop()
        self._loader.join()
        if self._engine.exception() is None:
            self._engine.result().close()

    def _refreshed(self, any_version: bool) -> None:
        if any_version:
            self._engine_needed.set()
        elif not self._engine_needed.is_set():
            self._ready_without_engine = True

    def health(self) -> str | None:
        """Return why the engine does not answer; None if it does, or need not."""
        if not self._engine.done():
            return None if self._ready_without_engine else "The engine is loading."
        error = self._engine.exception()
        return None if error is None or isinstance(error, NoEngine) else str(error)

    def why_no_engine(self) -> str | None:
        """Return why this process has no engine on purpose; None if it has one or should have one."""
        error = self._engine.exception() if self._engine.done() else None
        return str(error) if isinstance(error, NoEngine) else None

    def load(self) -> tuple[int, tuple[int, ...]] | None:
        """Return the engine's load, None while there is no engine."""
        if not self._engine.done() or self._engine.exception() is not None:
            return None
        return self._engine.result().load()

    async def admit(self) -> None:
        """Raise Busy if not one more picture may wait. Call it before costly work for a request."""
        engine = await self._await_engine()
        with self._busy_if_overloaded():
            engine.check()

    async def sample(
        self,
        version: VersionView,
        picks: Sequence[Pick],
        use: UseOfFuture[T],
        *,
        seed: int,
        temperature: float = 1.0,
        truncation: float | None = None,
    ) -> T:
        """Draw pictures and return the result of `use`, which gets their future while they are still being drawn."""
        path = self._store.path(version.export_sha256)
        return await self._request(
            version,
            lambda engine: use(engine.sample(path, picks, seed=seed, temperature=temperature, truncation=truncation)),
        )

    async def latents(
        self,
        version: VersionView,
        picks: Sequence[Pick],
        *,
        seed: int,
        temperature: float = 1.0,
        truncation: float | None = None,
    ) -> Array:
        """Return the latents float32 [n, size] from which `sample` draws the same picks."""
        path = self._store.path(version.export_sha256)
        return await self._request(
            version,
            lambda engine: asyncio.wrap_future(
                engine.latents(path, picks, seed=seed, temperature=temperature, truncation=truncation)
            ),
        )

    async def decode(self, version: VersionView, codes: Codes, use: UseOfFuture[T]) -> T:
        """Generate from latents, otherwise as `sample`."""
        path = self._store.path(version.export_sha256)
        return await self._request(version, lambda engine: use(engine.decode(path, codes.latents, codes.weights)))

    async def translate(self, version: VersionView, image: Array, use: UseOfFuture[T], *, direction: Direction) -> T:
        """Translate a picture [h, w, c], otherwise as `sample`."""
        path = self._store.path(version.export_sha256)
        pixels = math.prod(version.recipe.canvas(*image.shape[:2]))
        return await self._request(version, lambda engine: use(engine.translate(path, image, direction, pixels=pixels)))

    async def features(self, version: VersionView, pictures: Array, use: UseOfFuture[T]) -> T:
        """Compute the features of pictures [n, side, side, channels], otherwise as `sample`.

        Raises Conflict if the version's critic, which only a checkpoint has, is gone.
        """
        path = self._store.path(version.export_sha256)
        critic = await self.critic(version) if version.recipe.feature_source == "critic" else None
        with _critic_expected(version):
            return await self._request(version, lambda engine: use(engine.features(path, pictures, critic)))

    async def critic(self, version: VersionView) -> CriticFile:
        """Return the file of the version's critic. Raises Conflict if it is gone."""
        return await asyncio.to_thread(checkpoints.critic_of, version)

    async def search(
        self, version: VersionView, picture: Array, attempts: Array, turns: Turns, critic: CriticFile | None
    ) -> Array:
        """Take steps of a search for the latent of a picture, as AnyEngine.search. Raises as `features` does."""
        path = self._store.path(version.export_sha256)
        with _critic_expected(version):
            return await self._request(
                version, lambda engine: asyncio.wrap_future(engine.search(path, picture, attempts, turns, critic))
            )

    async def directions(self, version: VersionView, method: Method, n: int, seed: int) -> Array:
        """Return the n strongest directions of a version as AnyEngine.directions: [n, 1 + size]."""
        path = self._store.path(version.export_sha256)
        found = await self._request(
            version, lambda engine: asyncio.wrap_future(engine.directions(path, method, n, seed))
        )
        table: Array = found[0]
        return table

    async def _request(self, version: VersionView, request: Callable[[AnyEngine], Awaitable[T]]) -> T:
        """Send a request to the engine; if the export's file is damaged, rebuild it and send again. Raises Conflict."""
        try:
            return await self._request_once(request)
        except ExportFlawed as flawed:
            if flawed.sha256 != version.export_sha256:
                raise
            await asyncio.to_thread(self._rebuild, version, flawed.how)
        return await self._request_once(request)

    def _rebuild(self, version: VersionView, how: str) -> None:
        with self._rebuild_lock:
            if self._store.defect(version.export_sha256) is not None:
                log.error("export_damaged", model=version.reference, how=how)
                registry.rebuild(version, how, self.export)

    async def _request_once(self, request: Callable[[AnyEngine], Awaitable[T]]) -> T:
        engine = await self._await_engine()
        with self._busy_if_overloaded():
            return await _with_deadline(engine.deadline, request(engine))

    @contextmanager
    def _busy_if_overloaded(self) -> Iterator[None]:
        try:
            yield
        except Overloaded as full:
            sentence = f"{full} At most {self._settings.queue_pictures} pictures may wait (queue_pictures)."
            raise Busy(sentence, retry_after=full.retry_after) from full

    async def _await_engine(self) -> AnyEngine:
        """Return the engine; wait for it if torch is not imported yet. Raises NotReady."""
        if self._engine.done() and self._engine.exception() is None:
            return self._engine.result()
        self._engine_needed.set()
        waiting: Awaitable[AnyEngine] = asyncio.shield(asyncio.wrap_future(self._engine))
        try:
            return await asyncio.wait_for(waiting, LOAD_TIMEOUT_S)
        except TimeoutError:
            raise _loading() from None
        except NotReady as reason:
            raise type(reason)(reason.detail) from None

    def publishing(self) -> AbstractContextManager[None]:
        """Return the context in which a checkpoint is published. Raises Busy if too many are."""
        return self._publish_limiter.place()

    def export(self, recipe: Recipe, checkpoint_file: Path, out: Path, *, threads: int) -> None:
        """Export a checkpoint on the caller's thread, one at a time. Raises NotReady."""
        engine = self._wait_for_engine()
        with self._export_lock:
            engine.export(recipe, checkpoint_file, out, threads=threads)

    def _wait_for_engine(self, seconds: float = LOAD_TIMEOUT_S) -> AnyEngine:
        """Return the engine as `_await_engine` does, for a thread that may block."""
        self._engine_needed.set()
        try:
            return self._engine.result(seconds)
        except TimeoutError:
            raise _loading() from None
        except NotReady as reason:
            raise type(reason)(reason.detail) from None

    def _load(self) -> None:
        self._engine_needed.wait()
        if self._stop.is_set():
            self._engine.set_exception(NotReady("The service is stopping."))
            return
        make = local_engine if self._settings.inference == "local" else remote_engine
        try:
            self._engine.set_result(make(self._settings))
        except Exception as error:  # any error must reach the waiting requests
            self._engine.set_exception(_no_engine(error))


def local_engine(settings: Settings) -> AnyEngine:
    """Return an engine in this process; nowhere else does an API process or inference worker import torch."""
    os.environ.setdefault("GOMP_SPINCOUNT", "0")  # otherwise its spinning threads starve a training process
    with import_without_gc("serving.engine"):
        from serving.engine import Engine

    bound, memory = settings.queue_pictures, settings.loaded_bytes
    flaw = Store(settings.artifacts).defect
    return Engine(device=settings.device, threads=settings.threads, bound=bound, memory=memory, flaw=flaw)


def remote_engine(settings: Settings) -> AnyEngine:
    """Return an engine that sends requests to the inference workers."""
    with import_without_gc("app.services.inference.remote_engine"):
        from app.services.inference.remote_engine import RemoteEngine

    return RemoteEngine(settings)


@contextmanager
def _critic_expected(version: VersionView) -> Iterator[None]:
    """Raise Conflict if the file of the version's critic is flawed."""
    try:
        yield
    except ExportFlawed as flawed:
        raise checkpoints.critic_gone(version, f"its file is {flawed.how}") from flawed


def _loading() -> NotReady:
    return NotReady("The engine is still loading.", headers={"Retry-After": "10"})


async def _with_deadline(deadline_s: float | None, reply: Awaitable[T]) -> T:
    """Await a reply. Raises NotReady after the deadline."""
    if deadline_s is None:
        return await reply
    try:
        return await asyncio.wait_for(reply, deadline_s)
    except TimeoutError:
        sentence = (
            f"No inference worker answered within {deadline_s:g} s (deadline_s). "
            "Start one with `forger serve --only inference`, or ask for less."
        )
        raise NotReady(sentence, code="no_answer", headers={"Retry-After": "5"}) from None


def _no_engine(error: Exception) -> NotReady:
    """Return the error of an engine that did not start; a missing torch is intended and no fault."""
    if isinstance(error, ModuleNotFoundError) and error.name == "torch":
        log.info("no_engine", reason="torch is not installed")
        return NoEngine(NO_TORCH)
    log.exception("engine_did_not_start")
    return NotReady(f"The engine did not start: {error}.")
