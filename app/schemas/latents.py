"""Latents in request bodies: those of samples, and others, with their classes."""

from pydantic import Field

from app.schemas.base import RequestBody
from app.schemas.interpolations import SampleName
from app.schemas.samples import LatentClasses, LatentRow


class LatentsIn(RequestBody):
    """Latents of samples, and others."""

    samples: list[SampleName] = Field([], description="Samples: SEED, SEED.INDEX or SEED.INDEX:CLASS.")
    latents: list[LatentRow] = Field([], description="Latents, each as long as the model's.")


class CodesIn(LatentClasses, LatentsIn):
    """Latents of samples, and others with their classes."""
