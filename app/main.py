"""Build the HTTP application. Importing this module never imports torch."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.core.gc_freeze import import_without_gc

# This saves a quarter of the import time.
with import_without_gc("fastapi"):
    import anyio.to_thread
    from fastapi import Depends, FastAPI

    from app.api import problems, studio
    from app.api.deps import bind_job_to_log
    from app.api.headers import HeadMethod, PathPrefix
    from app.api.middleware.access import AccessLog
    from app.api.middleware.guard import Guard
    from app.api.openapi.document import build_openapi, operation_id
    from app.api.requests.unknown_names import refuse_unknown_parameters
    from app.api.routes import (
        arithmetic,
        augmentations,
        compare,
        create_job,
        dataset_pictures,
        datasets,
        directions,
        edits,
        events,
        experiments,
        exports,
        features,
        health,
        import_model,
        inpainting,
        interpolations,
        inversion,
        jobs,
        judgements,
        latents,
        lectures,
        limits,
        links,
        models,
        nearest,
        recipes,
        samples,
        session,
        translations,
    )
    from app.core.logging import configure
    from app.core.sandbox.parent import Sandbox
    from app.core.settings import Settings, get_settings
    from app.services.datasets.examples import Examples
    from app.services.datasets.intake import Intake
    from app.services.datasets.nearest import NearestPictures
    from app.services.inference.service import Inference
    from app.services.jobs.event_stream import EventStream
    from app.services.models.imports import Imports
    from app.services.plugins import load as load_plugins
    from app.services.system.metrics import Metrics
    from app.services.system.reaper import Reaper
    from forger.wire import VERSION


def create_app(settings: Settings | None = None) -> FastAPI:
    """Return the application. Without settings, read them from the environment and configure the process's log."""
    if settings is None:
        settings = get_settings()
        configure(settings.log_level, "api")
    app = FastAPI(
        title="Forger",
        summary="Trains generative adversarial networks as jobs and serves what they learn.",
        version=VERSION,
        lifespan=_lifespan,
        # Otherwise FastAPI looks for telemetry at each request.
        telemetry={"tracing": False, "metrics": False, "logs": False},
        docs_url=None,
        redoc_url=None,
        servers=[{"url": settings.root_path}] if settings.root_path else None,
        redirect_slashes=False,
        dependencies=[Depends(bind_job_to_log), Depends(refuse_unknown_parameters)],
        generate_unique_id_function=operation_id,
    )
    load_plugins(settings)
    app.state.settings = settings
    app.state.metrics = Metrics(VERSION, lambda: app.state.inference.load())
    app.add_middleware(samples.SampleFastPath)
    app.add_middleware(HeadMethod)
    app.add_middleware(Guard, settings=settings)
    app.add_middleware(AccessLog, metrics=app.state.metrics)
    if settings.root_path:
        app.add_middleware(PathPrefix, path=settings.root_path)
    problems.install_handlers(app)
    app.openapi = lambda: build_openapi(app)  # type: ignore[method-assign]
    route_modules = (
        create_job, jobs, events, experiments, augmentations, compare, samples, latents, interpolations, arithmetic,
        translations, features, inversion, inpainting, edits, directions, models, import_model, exports, judgements,
        datasets, dataset_pictures, nearest, recipes, lectures, limits, session, links, health,
    )  # fmt: skip
    for module in route_modules:
        app.include_router(module.router)
    app.router.routes += studio.routes()
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.inference = Inference(app.state.settings)
    app.state.inference.start()
    app.state.feed = EventStream(events.encode_event)
    app.state.sandbox = Sandbox()
    app.state.intake = Intake(app.state.settings)
    app.state.imports = Imports(app.state.settings)
    app.state.examples = Examples(app.state.settings)
    app.state.nearest = NearestPictures(app.state.settings)
    reaper = Reaper().start()
    try:
        yield
    finally:
        await anyio.to_thread.run_sync(reaper.stop)
        await anyio.to_thread.run_sync(app.state.inference.stop)
        await anyio.to_thread.run_sync(app.state.sandbox.close)
        await anyio.to_thread.run_sync(app.state.intake.close)
        await anyio.to_thread.run_sync(app.state.examples.close)
        await anyio.to_thread.run_sync(app.state.nearest.close)
        await anyio.to_thread.run_sync(app.state.feed.close)
