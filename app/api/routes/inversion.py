"""Serve POST /invert: the latent from which a model generates the picture that is nearest to one that is sent."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated

import numpy as np
from fastapi import APIRouter, File, Form, Request, Response, UploadFile
from fastapi.sse import format_sse_event

from app.api.deps import FeedDep, InferenceDep, SandboxDep, SettingsDep
from app.api.headers import header_docs
from app.api.middleware.disconnect import cancel_on_disconnect
from app.api.openapi.refusals import refusal_responses
from app.api.problems import problem_for
from app.api.replies import images, picture_recipes
from app.api.replies.event_streams import STREAM_MEDIA_TYPE, EventReply, wants_stream
from app.api.replies.images import Array, on_imaging_thread
from app.api.requests.forms import FormRoute
from app.api.routes.features import read_pictures
from app.api.routes.latents import optional_class
from app.core.errors import FieldError, ForgerError, Invalid
from app.core.limits import MAX_RESTARTS, MAX_SEARCH_STEPS, SEED_LIMIT
from app.schemas.samples import Reference
from app.services.inference import inversion
from app.services.inference.inversion import Found, Plan, Progress
from app.services.inference.service import DECODING, health_header
from app.services.views import VersionView
from forger.schemas.inversion import InversionOut, InversionProgress
from models.spec.data import Images

router = APIRouter(tags=["inference"], route_class=FormRoute)


@router.post(
    "/invert",
    response_model=InversionOut,
    responses=refusal_responses(404, 409, 429, 503)
    | {
        200: {
            "content": {STREAM_MEDIA_TYPE: {"schema": {"type": "string"}}},
            "headers": header_docs("X-Forger-Model", "Forger-Health", "Forger-Note"),
        }
    },
)
async def invert_picture(
    request: Request,
    file: Annotated[UploadFile, File(description="PNG, JPEG, WebP, AVIF, GIF, BMP, TIFF or PPM.")],
    inference: InferenceDep,
    sandbox: SandboxDep,
    settings: SettingsDep,
    feed: FeedDep,
    model: Annotated[Reference | None, Form()] = None,
    class_: Annotated[
        str | None, Form(alias="class", max_length=80, description="A number or a name; by default the nearest.")
    ] = None,
    seed: Annotated[int, Form(ge=0, lt=SEED_LIMIT, description="Of the latents at which the search begins.")] = 0,
    steps: Annotated[int, Form(ge=1, le=MAX_SEARCH_STEPS)] = 200,
    restarts: Annotated[int, Form(ge=1, le=MAX_RESTARTS, description="Attempts from different latents.")] = 8,
    feature_weight: Annotated[
        float | None,
        Form(
            ge=0,
            le=100,
            allow_inf_nan=False,
            description="Weight of the critic's features beside the pixels at the first step; it falls to 0. "
            "Default 0.1, or 0 without a critic.",
        ),
    ] = None,
) -> Response:
    """Find the latent of a picture. If Accept names text/event-stream, the reply is a stream that reports progress.

    The service prepares the picture as POST /features does. It chooses the best of many drawn latents, and the code of
    the encoder if the model has one, and improves them by gradients. Equal requests give equal bytes.
    """
    version = await inference.newest(DECODING, model)
    require_images(version)
    label = optional_class(class_, version, inference)
    classes, plan = inversion.tried_classes(version, label), Plan(seed, steps, restarts, feature_weight)
    inversion.require_work(version, plan, classes, settings.max_search_pixels)
    await inference.admit()
    pictures, notes = await read_pictures([file], version, sandbox, settings)
    target = pictures[0]
    known = np.concatenate([target, np.zeros_like(target[..., :1])], axis=2)
    searching = inversion.search(version, inference, known, classes, plan)
    headers = {"X-Forger-Model": version.reference, **health_header(version)}
    if notes:
        headers["Forger-Note"] = " ".join(notes)
    if wants_stream(request):
        reply = EventReply(feed, _events(request, searching, version, plan, target))
        reply.headers.update(headers)
        return reply
    body = await cancel_on_disconnect(request, _result(searching, version, plan, target))
    return Response(
        body, media_type="application/json", headers=headers | {"Cache-Control": "no-store", "Vary": "Accept"}
    )


def require_images(version: VersionView) -> None:
    """Raise Invalid if the version does not generate pictures."""
    data = version.recipe.data
    if not isinstance(data, Images):
        sentence = f"{version.reference} generates {data.kind}: name a model that generates pictures."
        raise Invalid(sentence, code="model_cannot", errors=(FieldError("/model", sentence),))


async def _result(
    searching: AsyncGenerator[Progress | Found], version: VersionView, plan: Plan, target: Array
) -> bytes:
    async with aclosing(searching):
        async for news in searching:
            if isinstance(news, Found):
                return await on_imaging_thread(_encoded, news, version, plan, target)
    raise AssertionError("A search ends with its result.")


async def _events(
    request: Request, searching: AsyncGenerator[Progress | Found], version: VersionView, plan: Plan, target: Array
) -> AsyncGenerator[bytes]:
    """Yield an event `progress` after each part of the search, and at last `result`, or `error` with a problem."""
    try:
        async with aclosing(searching):
            async for news in searching:
                if isinstance(news, Found):
                    body = await on_imaging_thread(_encoded, news, version, plan, target)
                    yield format_sse_event(event="result", data_str=body.decode())
                else:
                    progress = InversionProgress(step=news.step, steps=plan.steps, psnr=inversion.psnr(news.mse))
                    yield format_sse_event(event="progress", data_str=progress.model_dump_json())
    except ForgerError as error:
        yield format_sse_event(event="error", data_str=bytes((await problem_for(request, error)).body).decode())


def _encoded(found: Found, version: VersionView, plan: Plan, target: Array) -> bytes:
    text = picture_recipes.of_codes(version.reference, found.code, found.label)(0)
    reply = {
        "model": version.reference,
        "seed": plan.seed,
        "class": found.label,
        "latents": found.code.latents.tolist(),
        "classes": [found.label],
        "mse": found.mse,
        "psnr": inversion.psnr(found.mse),
        "start": found.start,
        "feature_weight": found.feature_weight,
        "attempts": found.attempts,
        "steps": plan.steps,
        "target": images.base64_text(images.png(target)),
        "image": images.base64_text(images.png(found.picture, text)),
    }
    return InversionOut.model_validate(reply).model_dump_json(by_alias=True).encode()
