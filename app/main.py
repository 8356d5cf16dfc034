"""The HTTP application. Importing this module never imports torch."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio.to_thread
from fastapi import FastAPI

from app.api import creation, datasets, events, health, jobs, limits, models, problems, recipes, samples, translations
from app.api.edge import Edge
from app.core.logging import configure
from app.core.sandbox import Sandbox
from app.core.settings import Settings, get_settings
from app.services.inference import Inference
from app.services.intake import Intake
from app.services.reaper import Reaper


def create_app(settings: Settings | None = None) -> FastAPI:
    """A server calls it without settings: it then takes those of the environment, and the process's log."""
    if settings is None:
        settings = get_settings()
        configure(settings.log_level)
    app = FastAPI(
        title="Forger",
        summary="Trains generative adversarial networks as jobs and serves what they learn.",
        version=health.own_version(),
        lifespan=_lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.settings = settings
    app.add_middleware(Edge, settings=settings)
    problems.install(app)
    for room in (creation, jobs, events, samples, translations, models, datasets, recipes, limits, health):
        app.include_router(room.router)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.inference = Inference(app.state.settings)
    app.state.inference.start()
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
