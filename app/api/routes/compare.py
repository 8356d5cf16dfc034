"""Serve GET /compare: several jobs compared, as JSON or as one picture."""

import asyncio
from typing import Annotated, Literal

from fastapi import APIRouter, Header, Query, Response
from PIL import Image

from app.api.deps import InferenceDep, SettingsDep, negotiate
from app.api.openapi.refusals import refusal_responses
from app.api.replies import comparison_sheet
from app.api.replies.images import on_imaging_thread
from app.core.limits import MAX_COMPARED_JOBS, MAX_ID_CHARACTERS
from app.core.settings import Settings
from app.core.store import Store
from app.schemas.experiment_replies import comparison_out
from app.services.experiments import compare
from app.services.inference.picks import picks_of
from app.services.jobs import lifecycle
from data.plots import Picture
from forger.schemas.compare import ComparedJob, ComparedSample, ComparisonOut
from models.spec.data import Points

router = APIRouter(tags=["compare"])

MAX_IDS_CHARACTERS = (MAX_COMPARED_JOBS + 1) * (MAX_ID_CHARACTERS + 1)
POINTS_DRAWN = 1000
"""points drawn from a model of points: fewer show little"""
Format = Literal["json", "png"]
MEDIA: dict[str, Format] = {"application/json": "json", "image/png": "png"}
MEDIA_OF = {format_: media for media, format_ in MEDIA.items()}


@router.get(
    "/compare",
    response_model=ComparisonOut,
    responses=refusal_responses(404, 406, 409, 429, 503) | {200: {"content": {"image/png": {}}}},
)
async def compare_jobs(
    inference: InferenceDep,
    settings: SettingsDep,
    jobs: Annotated[
        str, Query(max_length=MAX_IDS_CHARACTERS, description="Ids of 2 to 16 training jobs, separated by commas.")
    ],
    format: Annotated[Format | None, Query(description="Overrides Accept.")] = None,
    accept: Annotated[str | None, Header()] = None,
) -> Response:
    """Compare jobs. The reply has the differences of their recipes, their curves, figures by provenance, and samples.

    The picture shows a sample of each job, from the same noise if their latents have one shape, and the curves of
    their metric.
    """
    format_ = format or MEDIA[negotiate(accept, tuple(MEDIA))]
    comparison = comparison_out(await asyncio.to_thread(compare.compare, jobs.split(",")))
    if format_ == "json":
        body = comparison.model_dump_json().encode()
    else:
        pairs = zip(comparison.jobs, comparison.samples, strict=True)
        samples = [await _sample(job, sample, inference, settings) for job, sample in pairs]
        body = await on_imaging_thread(comparison_sheet.sheet, comparison, samples)
    return Response(body, media_type=MEDIA_OF[format_], headers={"Vary": "Accept", "Cache-Control": "no-cache"})


async def _sample(
    job: ComparedJob, sample: ComparedSample, inference: InferenceDep, settings: Settings
) -> Picture | None:
    """Draw a sample from the noise that all jobs share; without a model return the newest report's picture, or None."""
    if sample.href is None:
        return await asyncio.to_thread(_report, job.id, settings)
    version = await inference.versions.sampler(job.model, None)
    count = POINTS_DRAWN if isinstance(version.recipe.data, Points) else compare.SAMPLE_PICTURES
    n = min(count, settings.max_samples)
    picks = picks_of(version.recipe, None, n, compare.SAMPLE_SEED)
    drawn = await inference.sample(version, picks, asyncio.wrap_future, seed=compare.SAMPLE_SEED, temperature=1.0)
    return await on_imaging_thread(comparison_sheet.row, version.recipe, drawn)


def _report(job_id: str, settings: Settings) -> Picture | None:
    drawn = lifecycle.artifacts(job_id, "sample")
    if not drawn:
        return None
    newest = max(drawn, key=lambda artifact: artifact.step or 0)
    with Image.open(Store(settings.artifacts).verified_path(newest.sha256, newest.name)) as picture:
        return picture.copy()
