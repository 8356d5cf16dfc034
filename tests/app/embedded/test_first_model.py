"""A real service that has just been set up: what its API's process is made of before and after the first model."""

from pathlib import Path

import psutil

from tests.support.service import Service
from tests.support.wait import until


def has(process: psutil.Process, library: str) -> bool:
    """By the files it has mapped, whoever imported them."""
    return library in Path(f"/proc/{process.pid}/maps").read_text()


def test_torch_comes_with_the_first_model(service: Service) -> None:
    until(lambda: service.client.get("/readyz").status_code == 200)
    api = service.find("uvicorn")
    assert api is not None
    assert not has(api, "libtorch")
    service.wait_for(service.post(recipe="gan", dataset="ring8", budget={"steps": 3}), "succeeded")
    assert service.client.get("/sample?n=4").status_code == 200
    assert has(api, "libtorch")
    assert service.client.get("/readyz").status_code == 200
