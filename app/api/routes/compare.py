"""GET /compare: jobs beside each other."""

from typing import Annotated

from fastapi import APIRouter, Query

from app.api.openapi.refusals import refused
from app.core.limits import COMPARED_JOBS, ID_LENGTH
from app.schemas.compare import ComparisonOut
from app.services.experiments import compare

router = APIRouter(tags=["compare"])

LONGEST = (COMPARED_JOBS + 1) * (ID_LENGTH + 1)


@router.get("/compare", responses=refused(404))
def compare_jobs(
    jobs: Annotated[str, Query(max_length=LONGEST, description="Ids of 2 to 16 training jobs, separated by commas.")],
) -> ComparisonOut:
    """Compare jobs. Where their recipes differ, their curves, their figures by provenance, their samples."""
    return ComparisonOut.of(compare.compare(jobs.split(",")))
