"""Define the replies of POST /invert and POST /inpaint, and the events of their streams."""

from typing import Literal

from pydantic import Field

from forger.schemas.base import Out


class InversionProgress(Out):
    """How near the best attempt is after a step."""

    step: int
    steps: int
    psnr: float | None = Field(description="Of the best attempt, in dB.")


class _FoundLatent(Out):
    """A latent that a search has found."""

    model: str
    seed: int
    class_: int | None = Field(alias="class", description="Chosen by the lowest error if none was given.")
    latents: list[list[float]] = Field(description="One, as POST /sample takes it.")
    classes: list[int | None] = Field(description="One, as POST /sample takes it.")


class InversionOut(_FoundLatent):
    """The latent whose picture is the nearest to one that was sent."""

    mse: float = Field(description="Mean squared difference of the pixels, on a scale of 0 to 1.")
    psnr: float | None = Field(description="Peak signal-to-noise ratio in dB; null if both pictures are equal.")
    start: Literal["encoder", "random"] = Field(description="Where the best attempt began.")
    feature_weight: float = Field(description="0 if only pixels were compared.")
    attempts: int = Field(description="Number of attempts that took steps.")
    steps: int
    target: str = Field(description="The sent picture as the model sees it, a PNG file in base64.")
    image: str = Field(description="The picture of the latent, a PNG file in base64.")


class InpaintingOut(_FoundLatent):
    """A picture whose unknown part comes from the latent whose picture is the nearest in the known part."""

    psnr: float | None = Field(description="Of the known pixels, in dB; null if they are equal.")
    start: Literal["encoder", "random"] = Field(description="Where the best attempt began.")
    steps: int
    target: str = Field(description="The sent picture as the model sees it, a PNG file in base64.")
    image: str = Field(description="The filled picture, a PNG file in base64.")
    sample: str = Field(description="The whole picture of the latent, a PNG file in base64.")
