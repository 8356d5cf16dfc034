"""The API process of a new service loads torch only for the first model."""

from tests.support.processes import has_loaded
from tests.support.service import Service
from tests.support.wait import until


def test_api_loads_torch_with_the_first_model(service: Service) -> None:
    until(lambda: service.client.get("/readyz").status_code == 200)
    api = service.find("uvicorn")
    assert api is not None
    assert not has_loaded(api, "libtorch")
    service.wait_for(service.post(recipe="gan", dataset="ring8", budget={"steps": 3}), "succeeded")
    assert service.client.get("/sample?n=4").status_code == 200
    assert has_loaded(api, "libtorch")
    assert service.client.get("/readyz").status_code == 200
