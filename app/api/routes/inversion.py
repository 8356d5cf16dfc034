"""Serve POST /invert: the latent from which a model generates the picture that is nearest to one that is sent."""

from collections.abc import Sequence
from typing import Annotated

import numpy as np
from fastapi import APIRouter, File, Form, Request, Response, UploadFile

from app.api.deps import FeedDep, InferenceDep, SandboxDep, SettingsDep
from app.api.headers import header_docs
from app.api.middleware.disconnect import cancel_on_disconnect
from app.api.openapi.refusals import refusal_responses
from app.api.replies import images, picture_recipes, searches
from app.api.replies.event_streams import STREAM_MEDIA_TYPE, EventReply, wants_stream
from app.api.replies.images import Array
from app.api.requests.forms import FormRoute
from app.api.requests.searches import SearchForm, SearchFormDep
from app.api.routes.features import read_pictures
from app.api.routes.latents import optional_class
from app.api.routes.translations import NOT_STORED, headers_of
from app.core.settings import Settings
from app.schemas.samples import Reference
from app.services.inference import inversion
from app.services.inference.capabilities import PICTURE_DECODING
from app.services.inference.inversion import Found, Plan
from app.services.inference.service import Inference
from app.services.views import VersionView
from forger.schemas.inversion import InversionOut

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
    form: SearchFormDep,
    model: Annotated[Reference | None, Form()] = None,
) -> Response:
    """Find the latent of a picture. If Accept names text/event-stream, the reply is a stream that reports progress.

    The service prepares the picture as POST /features does. It chooses the best of many drawn latents, and the code of
    the encoder if the model has one, and improves them by gradients. Equal requests give equal bytes.
    """
    version = await inference.versions.newest(PICTURE_DECODING, model)
    classes = classes_to_try(version, inference, form, settings)
    await inference.admit()
    pictures, notes = await read_pictures([file], version, sandbox, settings)
    target = pictures[0]
    known = np.concatenate([target, np.zeros_like(target[..., :1])], axis=2)
    searching = inversion.search(version, inference, known, classes, form.plan)
    headers = headers_of(version, notes)

    def encoded(found: Found) -> bytes:
        return _encoded(found, version, form.plan, target)

    if wants_stream(request):
        reply = EventReply(feed, searches.events(request, searching, form.plan.steps, encoded))
        reply.headers.update(headers)
        return reply
    body = await cancel_on_disconnect(request, searches.result(searching, encoded))
    return Response(body, media_type="application/json", headers=headers | NOT_STORED)


def classes_to_try(
    version: VersionView, inference: Inference, form: SearchForm, settings: Settings
) -> Sequence[int | None]:
    """Return the classes in which the form's search tries. Raises Invalid for an unknown class or too much work."""
    classes = inversion.tried_classes(version, optional_class(form.label, version, inference))
    inversion.require_work(version, form.plan, classes, settings.max_search_pixels)
    return classes


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
