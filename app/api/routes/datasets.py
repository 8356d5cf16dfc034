"""Serve /datasets: the built-in datasets and the uploaded ones."""

from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Depends, Header, Request, Response
from pydantic import TypeAdapter
from starlette.responses import FileResponse

from app.api.deps import IntakeDep, SettingsDep
from app.api.openapi.refusals import refusal_responses
from app.api.requests.forms import require_form
from app.api.requests.uploads import form_with_file, receive_file
from app.core.errors import NotFound
from app.core.settings import link
from app.core.store import Store
from app.schemas.catalog import DatasetIn
from app.schemas.catalog_replies import dataset_detail
from app.services.capacity import admission
from app.services.datasets import catalog
from data.uploads.survey import UploadOptions
from forger.schemas.catalog import DatasetDetail, DatasetList, DatasetOut

router = APIRouter(prefix="/datasets", tags=["catalogue"])
_FIELDS = TypeAdapter(DatasetIn)


@router.post(
    "",
    status_code=201,
    responses=refusal_responses(409, 429, 507),
    dependencies=[Depends(require_form)],
    openapi_extra=form_with_file(DatasetIn, "A zip of pictures."),
)
async def create_dataset(
    request: Request, response: Response, intake: IntakeDep, settings: SettingsDep
) -> DatasetDetail:
    """Upload a dataset. It is a zip of class folders, pictures side by side, or folders A and B."""
    await to_thread.run_sync(admission.require_room)
    limit = settings.max_dataset_bytes, "max_dataset_bytes"
    async with receive_file(request, intake, _FIELDS, *limit, "send one zip that holds all pictures.") as sent:
        fields = sent.fields
        detail = await to_thread.run_sync(intake.take, sent.file, fields.name, fields.layout, _layout_options(fields))
    response.headers["Location"] = link(f"/datasets/{fields.name}")
    return dataset_detail(detail)


@router.get("")
def list_datasets() -> DatasetList:
    """List datasets. The built-in ones come first, then the uploaded ones, oldest first."""
    return DatasetList(data=[DatasetOut.model_validate(info) for info in catalog.all_datasets().values()])


@router.get("/{name}")
def get_dataset(name: str) -> DatasetDetail:
    """Read one dataset. An uploaded one also has the report of its intake."""
    return dataset_detail(catalog.find(name))


@router.get(
    "/{name}/sheet",
    response_class=FileResponse,
    responses={200: {"content": {"image/png": {}}}, **refusal_responses(409)},
)
def get_dataset_sheet(
    name: str, settings: SettingsDep, if_none_match: Annotated[str | None, Header()] = None
) -> Response:
    """Fetch a contact sheet. It shows some pictures of an uploaded dataset in the form that training reads."""
    sha256 = catalog.find(name).sheet_sha256
    if sha256 is None:
        raise NotFound(f"'{name}' is built in and has no contact sheet; uploaded datasets have one.")
    headers = {"ETag": f'"{sha256}"', "Cache-Control": "no-cache"}
    if if_none_match and sha256 in if_none_match:
        return Response(status_code=304, headers=headers)
    path = Store(settings.artifacts).verified_path(sha256, f"the contact sheet of '{name}'")
    return FileResponse(path, media_type="image/png", headers=headers)


@router.delete("/{name}", status_code=204, responses=refusal_responses(409))
def delete_dataset(name: str) -> None:
    """Delete an uploaded dataset. Refused while a job or a model needs it."""
    catalog.delete(name)


def _layout_options(fields: DatasetIn) -> UploadOptions:
    depth = None if fields.depth == "auto" else int(fields.depth)
    return UploadOptions(fields.fit, depth, fields.labels, 16 if fields.bits == "16" else 8)
