"""GET /compare: jobs beside each other, as JSON or as one picture."""

import asyncio
from typing import Annotated, Literal

from fastapi import APIRouter, Header, Query, Response
from PIL import Image

from app.api.deps import TheInference, TheSettings, negotiate
from app.api.openapi.refusals import refused
from app.api.replies import comparison_sheet
from app.api.replies.images import imaging
from app.api.routes.samples import picks_of
from app.core.limits import COMPARED_JOBS, ID_LENGTH
from app.core.settings import Settings
from app.core.store import Store
from app.schemas.experiment_replies import comparison_out
from app.services.experiments import compare
from app.services.jobs import lifecycle
from data.plots import Picture
from forger.schemas.compare import ComparedJob, ComparedSample, ComparisonOut
from models.spec.data import Points

router = APIRouter(tags=["compare"])

LONGEST = (COMPARED_JOBS + 1) * (ID_LENGTH + 1)
POINTS = 1000
"""drawn of a model of points: few tell little"""
Format = Literal["json", "png"]
MEDIA: dict[str, Format] = {"application/json": "json", "image/png": "png"}
MEDIA_OF = {format_: media for media, format_ in MEDIA.items()}


@router.get(
    "/compare",
    response_model=ComparisonOut,
    responses=refused(404, 406, 409, 429, 503) | {200: {"content": {"image/png": {}}}},
)
async def compare_jobs(
    inference: TheInference,
    settings: TheSettings,
    jobs: Annotated[str, Query(max_length=LONGEST, description="Ids of 2 to 16 training jobs, separated by commas.")],
    format: Annotated[Format | None, Query(description="Wins over Accept.")] = None,
    accept: Annotated[str | None, Header()] = None,
) -> Response:
    """Compare jobs. Where their recipes differ, their curves, their figures by provenance, their samples.

    The picture shows a sample of each job, from the same noise where their latents have one shape, and the curves of
    the figure that they are watched by.
    """
    format_ = format or MEDIA[negotiate(accept, tuple(MEDIA))]
    found = comparison_out(await asyncio.to_thread(compare.compare, jobs.split(",")))
    if format_ == "json":
        body = found.model_dump_json().encode()
    else:
        samples = [await _sample(*one, inference, settings) for one in zip(found.jobs, found.samples, strict=True)]
        body = await imaging(comparison_sheet.sheet, found, samples)
    return Response(body, media_type=MEDIA_OF[format_], headers={"Vary": "Accept", "Cache-Control": "no-cache"})


async def _sample(
    job: ComparedJob, sample: ComparedSample, inference: TheInference, settings: Settings
) -> Picture | None:
    """Draw from the noise that all jobs are given; else return the picture of the newest report, if there is one."""
    if sample.href is None:
        return await asyncio.to_thread(_report, job.id, settings)
    version = await inference.sampler(job.model, None)
    wanted = POINTS if isinstance(version.recipe.data, Points) else compare.SAMPLE_PICTURES
    n = min(wanted, settings.max_samples)
    picks = picks_of(version.recipe, None, n, compare.SAMPLE_SEED)
    drawn = await inference.sample(version, picks, asyncio.wrap_future, seed=compare.SAMPLE_SEED, temperature=1.0)
    return await imaging(comparison_sheet.row, version.recipe, drawn)


def _report(job_id: str, settings: Settings) -> Picture | None:
    drawn = lifecycle.artifacts(job_id, "sample")
    if not drawn:
        return None
    newest = max(drawn, key=lambda artifact: artifact.step or 0)
    with Image.open(Store(settings.artifacts).whole(newest.sha256, newest.name)) as picture:
        return picture.copy()
