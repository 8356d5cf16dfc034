"""A real path for every GET route of the API."""

from collections.abc import Iterator

import httpx2 as httpx
from fastapi import FastAPI

from app.core.settings import get_settings
from app.services.jobs import lifecycle
from tests.support.augmentations import make_augmentation
from tests.support.experiments import make_experiment
from tests.support.exports import publish_vivid
from tests.support.zips import picture, zipped

QUERIES = {
    "/sample": "?model=sevens&seed=1&n=2",
    "/interpolate": "?model=sevens&from=1&to=2&frames=3",
    "/datasets/{name}/pictures": "?seed=1",
}


def create_path_values(client: httpx.Client) -> dict[str, str]:
    """Create a model, a job, a dataset and an experiment; return what replaces each part of a route's path."""
    publish_vivid(name="sevens")
    job = next(job for job in lifecycle.list_jobs()[0] if job.model_name == "sevens")
    log = get_settings().logs / f"{job.id}-1.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text("a line\n")
    archive = zipped({f"{n}.png": picture(n) for n in range(3)})
    reply = client.post("/datasets", files={"file": ("a.zip", archive)}, data={"name": "threes"})
    assert reply.status_code == 201, reply.text
    return {
        "/augmentations/{job_id}": f"/augmentations/{make_augmentation(budget={'steps': 3}).id}",
        "{job_id}": job.id,
        "{artifact_id}": client.get(f"/jobs/{job.id}/artifacts").json()["data"][0]["id"],
        "{experiment_id}": make_experiment(recipe="gan", dataset="ring8", budget={"steps": 3}).id,
        "{version}": "1",
        "/models/{name}": "/models/sevens",
        "/datasets/{name}": "/datasets/threes",
        "/recipes/{name}": "/recipes/gan",
        "/lectures/{name}": "/lectures/good",
    }


def get_paths(app: FastAPI, path_values: dict[str, str]) -> Iterator[str]:
    """Yield the path of each GET route, with the query that it needs."""
    for path, operations in app.openapi()["paths"].items():
        if "get" not in operations:
            continue
        query = QUERIES.get(path, "")
        for part, value in path_values.items():
            path = path.replace(part, value)
        yield f"/compare?jobs={path_values['{job_id}']},job_none" if path == "/compare" else path + query
