"""Serve POST /models/import: a file of weights becomes a version of a model."""

from anyio import to_thread
from fastapi import APIRouter, Depends, Request, Response
from pydantic import TypeAdapter

from app.api.deps import ImportsDep, InferenceDep, SettingsDep
from app.api.openapi.refusals import refusal_responses
from app.api.requests.forms import require_form
from app.api.requests.uploads import form_with_file, receive_file
from app.core.settings import link
from app.schemas.catalog import ImportIn
from app.schemas.catalog_replies import version_out
from app.services.models.imports import Files
from forger.schemas.catalog import VersionOut

router = APIRouter(prefix="/models", tags=["models"])
_FIELDS = TypeAdapter(ImportIn)


@router.post(
    "/import",
    status_code=201,
    responses=refusal_responses(429, 503, 507),
    dependencies=[Depends(require_form)],
    openapi_extra=form_with_file(
        ImportIn,
        "A file of weights: safetensors, the ZIP of an export as safetensors, or a .pth that holds a state dict.",
        b2a="The generator of the way back, of the same layout: CycleGAN's net_G_B where `file` is its net_G_A.",
    ),
)
async def import_model(
    request: Request, response: Response, imports: ImportsDep, inference: InferenceDep, settings: SettingsDep
) -> VersionOut:
    """Import a model. Its file is an export of Forger, or a state dict of CycleGAN, pix2pix or the DCGAN example."""
    await to_thread.run_sync(imports.require_ready)
    limit = settings.max_model_bytes, "max_model_bytes"
    async with receive_file(request, imports, _FIELDS, *limit, "import one model at a time.", ["b2a"]) as sent:
        files, fields = Files(sent.file, sent.others.get("b2a")), sent.fields
        version = await to_thread.run_sync(imports.take, files, fields.name, fields.licence, fields.source)
    await to_thread.run_sync(inference.versions.refresh)
    response.headers["Location"] = link(f"/models/{version.reference}")
    return version_out(version)
