"""Serve the studio, the API reference, and the files that both need. They hold no data: a page reads the public API."""

import html
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from app.core.settings import link

WEB = Path(__file__).parents[1] / "web"
PAGES = (
    "jobs", "jobs/{job_id}", "new", "compare", "experiments", "experiments/{experiment_id}", "sample", "translate",
    "spot", "models", "models/{name}", "datasets", "datasets/{name}", "lectures", "system",
)  # fmt: skip
"""addresses under /studio/ that answer the one document, in which main.js shows the room"""
_LIBRARIES = {
    "uplot.js": ("youplot", "vendor/uplot.iife.min.js"),
    "uplot.css": ("youplot", "vendor/uplot.min.css"),
    "swagger-ui.js": ("fastapi_offline", "static/swagger-ui-bundle.js"),
    "swagger-ui.css": ("fastapi_offline", "static/swagger-ui.css"),
}
"""files of pinned packages: name under /studio/lib, package, path inside it"""
_FAMILY_PICTURES = Path(__file__).parents[2] / "docs" / "pictures" / "recipes"
"""samples of the families"""
# A browser asks each time whether a file has changed: an upgrade is seen at once.
_CACHING = {"Cache-Control": "no-cache"}


Endpoint = Callable[[Request], Response]


class _Files(StaticFiles):
    """The files of app/web, revalidated at each use."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        response.headers.update(_CACHING)
        return response


def routes() -> list[BaseRoute]:
    """Return the routes of all pages and files. They are not part of the OpenAPI document."""
    studio, reference = _document("studio.html"), _document("reference.html")
    return [
        *(Route(f"/studio/{page}", studio) for page in PAGES),
        Route("/docs", reference),
        *(Route(f"/studio/lib/{name}", _library(*place)) for name, place in _LIBRARIES.items()),
        Route("/studio/families/{name}.png", _family_pictures(_FAMILY_PICTURES)),
        *(Route(path, _to_first_room) for path in ("/studio", "/studio/")),
        Mount("/studio", _Files(directory=WEB)),
    ]


def _to_first_room(request: Request) -> Response:
    return RedirectResponse(link("/studio/jobs"))


def _document(name: str) -> Endpoint:
    """Return the endpoint that answers a document, whose relative links start at /studio/."""
    text = (WEB / name).read_text().replace("{base}", html.escape(link("/studio/")))
    return lambda _: HTMLResponse(text, headers=_CACHING)


def _library(package: str, path: str) -> Endpoint:
    file = Path(str(files(package) / path))
    return lambda _: FileResponse(file, headers=_CACHING)


def _family_pictures(folder: Path) -> Endpoint:
    """Return the endpoint that answers the picture of a family, or an empty reply where the folder has none."""
    pictures = {file.stem: file for file in folder.glob("*.png")}

    def answer(request: Request) -> Response:
        file = pictures.get(request.path_params["name"])
        return FileResponse(file, headers=_CACHING) if file else Response(status_code=204, headers=_CACHING)

    return answer
