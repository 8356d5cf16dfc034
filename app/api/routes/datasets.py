"""/datasets: what can be learned from, built in and uploaded."""

from typing import Annotated, Any

from anyio import to_thread
from fastapi import APIRouter, Depends, Header, Request, Response
from pydantic import TypeAdapter, ValidationError
from starlette.responses import FileResponse

from app.api.deps import TheIntake, TheSettings
from app.api.openapi.refusals import refused
from app.api.problems import as_invalid
from app.api.requests.forms import require_form
from app.api.requests.uploads import received
from app.core.errors import NotFound
from app.core.settings import link
from app.core.store import Store
from app.schemas.catalog import DatasetIn
from app.schemas.catalog_replies import dataset_detail
from app.services.capacity import admission
from app.services.datasets import catalog
from data.uploads.survey import UploadOptions
from forger.schemas.catalog import DatasetDetail, DatasetList, DatasetOut
from models.spec.wording import refusals, schema_of

router = APIRouter(prefix="/datasets", tags=["catalogue"])
_FIELDS = TypeAdapter(DatasetIn)


def _form() -> dict[str, Any]:
    """FastAPI would read the whole body before the route; the route reads it itself, and describes it here."""
    schema = DatasetIn.model_json_schema()
    file = {"type": "string", "format": "binary", "description": "A zip of pictures."}
    schema |= {"properties": {"file": file, **schema["properties"]}, "required": ["file", *schema["required"]]}
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}}


@router.post(
    "",
    status_code=201,
    responses=refused(409, 429, 507),
    dependencies=[Depends(require_form)],
    openapi_extra=_form(),
)
async def create_dataset(
    request: Request, response: Response, intake: TheIntake, settings: TheSettings
) -> DatasetDetail:
    """Upload a dataset. A zip of class folders, pictures side by side, or folders A and B; the reply reports on it."""
    await to_thread.run_sync(admission.require_room)
    limit = settings.max_dataset_bytes, "max_dataset_bytes"
    async with received(request, intake.folder, *limit, intake.gate) as sent:
        asked = _asked(sent.fields)
        detail = await to_thread.run_sync(intake.take, sent.file, asked.name, asked.layout, _wish(asked))
    response.headers["Location"] = link(f"/datasets/{asked.name}")
    return dataset_detail(detail)


@router.get("")
def list_datasets() -> DatasetList:
    """List datasets. The built-in ones come first, then the uploaded ones, oldest first."""
    return DatasetList(data=[DatasetOut.model_validate(info) for info in catalog.all_datasets().values()])


@router.get("/{name}")
def get_dataset(name: str) -> DatasetDetail:
    """Read one dataset. Of an uploaded one also the report of its intake."""
    return dataset_detail(catalog.find(name))


@router.get(
    "/{name}/sheet",
    response_class=FileResponse,
    responses={200: {"content": {"image/png": {}}}, **refused(409)},
)
def get_dataset_sheet(
    name: str, settings: TheSettings, if_none_match: Annotated[str | None, Header()] = None
) -> Response:
    """Fetch a contact sheet. Some pictures of an uploaded dataset as training will see them."""
    sha256 = catalog.find(name).sheet_sha256
    if sha256 is None:
        raise NotFound(f"'{name}' is built in and has no contact sheet; uploaded datasets have one.")
    headers = {"ETag": f'"{sha256}"', "Cache-Control": "no-cache"}
    if if_none_match and sha256 in if_none_match:
        return Response(status_code=304, headers=headers)
    path = Store(settings.artifacts).whole(sha256, f"the contact sheet of '{name}'")
    return FileResponse(path, media_type="image/png", headers=headers)


@router.delete("/{name}", status_code=204, responses=refused(409))
def delete_dataset(name: str) -> None:
    """Delete an uploaded dataset. Refused while a job or a model needs it."""
    catalog.delete(name)


def _wish(asked: DatasetIn) -> UploadOptions:
    return UploadOptions(asked.fit, None if asked.depth == "auto" else int(asked.depth), asked.labels)


def _asked(fields: dict[str, str]) -> DatasetIn:
    try:
        return DatasetIn.model_validate(fields)
    except ValidationError as error:
        raise as_invalid(refusals(error.errors(include_url=False), schema_of(_FIELDS))) from None
