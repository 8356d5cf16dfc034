"""Serve POST /translate and /upscale: translate or enlarge one picture."""

import math
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, File, Form, Header, Request, Response, UploadFile

from app.api.deps import InferenceDep, SandboxDep, SettingsDep, negotiate
from app.api.headers import header_docs
from app.api.middleware.disconnect import cancel_on_disconnect
from app.api.openapi.refusals import refusal_responses
from app.api.replies import images, picture_recipes
from app.api.replies.encode_batch import encode_when_drawn
from app.api.replies.images import on_imaging_thread
from app.api.requests.forms import FormRoute
from app.core.sandbox.parent import Sandbox
from app.core.settings import Settings
from app.schemas.samples import Reference
from app.services.inference import translation
from app.services.inference.capabilities import UPSCALING
from app.services.inference.service import Inference, health_header
from app.services.views import VersionView
from serving.protocol import Direction

router = APIRouter(tags=["inference"], route_class=FormRoute)

MEDIA = {"image/png": "png", "image/jpeg": "jpeg", "image/webp": "webp"}
"""formats by the media type in Accept"""
NOT_STORED = {"Cache-Control": "no-store", "Vary": "Accept"}
"""headers of a reply that no cache keeps"""

Picture = Annotated[UploadFile, File(description="PNG, JPEG, WebP, AVIF, GIF, BMP, TIFF or PPM.")]
Model = Annotated[Reference | None, Form()]
RESPONSES: dict[int | str, dict[str, Any]] = refusal_responses(404, 406, 409, 429, 503) | {
    200: {
        "content": {media: {} for media in MEDIA},
        "headers": header_docs("X-Forger-Model", "Forger-Health", "Forger-Note"),
    }
}


@dataclass(frozen=True)
class Exchange:
    """A request with a picture, and what is needed to reply with another."""

    request: Request
    inference: Inference
    sandbox: Sandbox
    settings: Settings
    media: str
    """the media type of the reply"""
    quality: int

    async def read(
        self, file: UploadFile, channels: int, *, masked: bool = False, bits: Literal[8, 16] = 8
    ) -> tuple[images.Array, list[str]]:
        """Read a picture as `images.decode_upload` does."""
        return await images.decode_upload(self.sandbox, file.file, channels, self.settings, masked=masked, bits=bits)

    async def read_input(
        self, file: UploadFile, version: VersionView, *, masked: bool
    ) -> tuple[images.Array, list[str]]:
        """Read a picture that a version is to translate, with notes. Raises Busy, Invalid if it is too large."""
        await self.inference.admit()
        recipe = version.recipe
        image, notes = await self.read(file, recipe.source_channels, masked=masked, bits=recipe.bits)
        translation.require_room(image, recipe, version.reference, self.settings.max_pixels)
        return image, [*notes, *translation.notes(image, recipe)]

    async def translate(self, file: UploadFile, version: VersionView, direction: Direction = "a2b") -> Response:
        """Reply with the translation of a picture."""
        image, notes = await self.read_input(file, version, masked=version.recipe.fills_holes)
        parts = await on_imaging_thread(translation.split_alpha, image, version.recipe, version.reference)
        return await self.reply(version, *parts, notes, direction)

    async def reply(
        self,
        version: VersionView,
        shown: images.Array,
        alpha: images.Array | None,
        notes: Sequence[str],
        direction: Direction = "a2b",
    ) -> Response:
        """Run the network on `shown`, join the result with `alpha`, and reply with the picture."""
        name = version.reference

        def encoded(drawn: images.Array) -> bytes:
            return self.encoded(drawn, alpha, picture_recipes.of_translation(name, direction))

        def then(drawn: Future[images.Array]) -> Awaitable[bytes]:
            return encode_when_drawn(drawn, encoded, math.prod(version.recipe.canvas(*shown.shape[:2])))

        translating = self.inference.translate(version, shown, then, direction=direction)
        body = await cancel_on_disconnect(self.request, translating)
        return Response(body, media_type=self.media, headers=headers_of(version, notes) | NOT_STORED)

    def encoded(self, drawn: images.Array, alpha: images.Array | None, recipe: str) -> bytes:
        """Encode a picture with its alpha restored; JPEG, which has none, gets white instead. A PNG has the recipe."""
        picture = translation.join_alpha(drawn, alpha)
        match MEDIA[self.media]:
            case "jpeg":
                return images.jpeg(picture, self.quality)
            case "webp":
                return images.webp(picture, self.quality)
            case _:
                return images.png(picture, recipe)


def headers_of(version: VersionView, notes: Sequence[str]) -> dict[str, str]:
    """Return the headers that name the model, its health and the notes, if there are any."""
    headers = {"X-Forger-Model": version.reference, **health_header(version)}
    return headers | {"Forger-Note": " ".join(notes)} if notes else headers


def exchange_of(*offers: str) -> Callable[..., Awaitable[Exchange]]:
    """Return the dependency of a route that replies in one of these media types."""

    async def exchange(
        request: Request,
        inference: InferenceDep,
        sandbox: SandboxDep,
        settings: SettingsDep,
        quality: Annotated[int, Form(ge=1, le=100, description="Quality of JPEG and WebP.")] = 90,
        accept: Annotated[str | None, Header()] = None,
    ) -> Exchange:
        """Return the exchange. Raises NotAcceptable, before a model is looked up."""
        return Exchange(request, inference, sandbox, settings, negotiate(accept, offers), quality)

    return exchange


ExchangeDep = Annotated[Exchange, Depends(exchange_of(*MEDIA))]


@router.post("/translate", response_class=Response, responses=RESPONSES)
async def translate_picture(
    file: Picture,
    exchange: ExchangeDep,
    model: Model = None,
    direction: Annotated[Literal["a2b", "b2a"], Form()] = "a2b",
) -> Response:
    """Translate a picture into the other style, or enlarge it, or fill its holes.

    `Accept` chooses PNG, JPEG or WebP; `quality` applies to the last two.

    The service rotates the picture by its EXIF and converts it to sRGB. It uses the first of several frames. It
    composites transparent parts over white, and the reply has the same alpha. A model that fills holes paints the
    transparent parts, and its reply is opaque.

    The header Forger-Note names ignored parts, and says if the picture's scale is far from that of the training
    pictures.
    """
    return await exchange.translate(file, await exchange.inference.versions.translator(model, direction), direction)


@router.post("/upscale", response_class=Response, responses=RESPONSES)
async def upscale_picture(file: Picture, exchange: ExchangeDep, model: Model = None) -> Response:
    """Enlarge a picture, two or four times a side, as the model was trained to.

    The service reads the picture as POST /translate does, whose reply by the same model has the same bytes.
    """
    return await exchange.translate(file, await exchange.inference.versions.newest(UPSCALING, model))
