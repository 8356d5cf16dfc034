"""Define the reply of /latent/arithmetic."""

from pydantic import Field

from forger.schemas.base import Out


class CodeOut(Out):
    """A latent and its picture."""

    latent: list[float]
    class_weights: list[float] | None = Field(description="The weight of every class; null for a model without.")
    image: str = Field(description="A PNG file in base64.")


class TermOut(Out):
    """One term: its weight, what it averages, and the mean."""

    weight: float
    samples: list[str] = Field(description="Names of its samples in full; they come before its latents.")
    averaged: list[CodeOut]
    mean: CodeOut


class ArithmeticOut(Out):
    """A weighted sum of latents with the pictures of every term and of the result."""

    model: str
    normalised: bool
    terms: list[TermOut]
    result: CodeOut
