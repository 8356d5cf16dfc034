"""The HTTP application. Importing this module never imports torch."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.core.gc_freeze import uncollected

with uncollected("fastapi"):  # a fourth of the time that all this takes
    import anyio.to_thread
    from fastapi import Depends, FastAPI

    from app.api import problems
    from app.api.deps import name_job
    from app.api.headers import Head, Prefix
    from app.api.middleware.access import Access
    from app.api.middleware.guard import Edge
    from app.api.openapi.document import openapi_of, operation_id
    from app.api.requests.unknown_names import only_known_parameters
    from app.api.routes import (
        compare,
        create_job,
        datasets,
        events,
        experiments,
        health,
        jobs,
        limits,
        models,
        recipes,
        samples,
        translations,
    )
    from app.core.logging import configure
    from app.core.sandbox.parent import Sandbox
    from app.core.settings import Settings, get_settings
    from app.services.datasets.intake import Intake
    from app.services.inference.service import Inference
    from app.services.jobs.event_stream import EventStream
    from app.services.plugins import load as load_plugins
    from app.services.system.metrics import Metrics
    from app.services.system.reaper import Reaper
    from forger.wire import VERSION


def create_app(settings: Settings | None = None) -> FastAPI:
    """A server calls it without settings: it then takes those of the environment, and the process's log."""
    if settings is None:
        settings = get_settings()
        configure(settings.log_level, "api")
    app = FastAPI(
        title="Forger",
        summary="Trains generative adversarial networks as jobs and serves what they learn.",
        version=VERSION,
        lifespan=_lifespan,
        telemetry={"tracing": False, "metrics": False, "logs": False},  # else it is looked for at each request
        docs_url=None,
        redoc_url=None,
        servers=[{"url": settings.root_path}] if settings.root_path else None,
        redirect_slashes=False,
        dependencies=[Depends(name_job), Depends(only_known_parameters)],
        generate_unique_id_function=operation_id,
    )
    load_plugins(settings)
    app.state.settings = settings
    app.state.metrics = Metrics(VERSION, lambda: app.state.inference.load())
    app.add_middleware(samples.Direct)
    app.add_middleware(Head)
    app.add_middleware(Edge, settings=settings)
    app.add_middleware(Access, metrics=app.state.metrics)
    if settings.root_path:
        app.add_middleware(Prefix, path=settings.root_path)
    problems.install(app)
    app.openapi = lambda: openapi_of(app)  # type: ignore[method-assign]
    rooms = (
        create_job, jobs, events, experiments, compare, samples, translations, models, datasets, recipes, limits,
        health,
    )  # fmt: skip
    for room in rooms:
        app.include_router(room.router)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.inference = Inference(app.state.settings)
    app.state.inference.start()
    app.state.feed = EventStream(events.written)
    app.state.sandbox = Sandbox()
    app.state.intake = Intake(app.state.settings)
    reaper = Reaper().start()
    try:
        yield
    finally:
        await anyio.to_thread.run_sync(reaper.stop)
        await anyio.to_thread.run_sync(app.state.inference.stop)
        await anyio.to_thread.run_sync(app.state.sandbox.close)
        await anyio.to_thread.run_sync(app.state.intake.close)
        await anyio.to_thread.run_sync(app.state.feed.close)
