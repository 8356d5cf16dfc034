"""A plugin from outside the checkout in a real service: with the plugin, without it, and with it again."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.plugins import write_pearson
from tests.support.service import Service

pytestmark = pytest.mark.processes
PLUGIN_JOB: dict[str, Any] = {"recipe": "pearson_gan", "dataset": "ring8", "budget": {"steps": 4}, "model": "ours"}


def test_plugin_job_trains_and_is_refused_while_the_plugin_is_missing(tmp_path: Path) -> None:
    file = write_pearson(tmp_path)
    service = Service(tmp_path / "home", FORGER_PLUGINS=str(file)).start()
    try:
        trained, paused = service.post(**PLUGIN_JOB), service.post(**PLUGIN_JOB | {"budget": {"steps": 100_000}})
        service.wait_for(trained, "succeeded")
        (plugin,) = service.job(trained)["recipe"]["plugins"]
        assert plugin["name"] == "pearson"
        curves = {curve["name"] for curve in service.client.get(f"/jobs/{trained}/metrics").json()["data"]}
        assert "critic/pearson" in curves
        assert service.client.get("/sample", params={"model": "ours"}).status_code == 200
        service.wait_for(paused, "running")
    finally:
        service.stop()

    service = Service(tmp_path / "home").start()
    try:
        assert service.job(trained)["recipe"]["plugins"] == [plugin], "the recipe can still be read"
        service.wait_for(paused, "paused")
        assert service.job(paused)["status_reason"]["code"] == "plugin_missing", "it was queued at the stop"
        assert service.client.get("/sample", params={"model": "ours"}).status_code == 200
        resumed = service.client.post(f"/jobs/{paused}/resume")
        extended = service.client.post(f"/jobs/{trained}/extend", json={"budget": {"steps": 4}})
        for refused in (resumed, extended):
            assert (refused.status_code, refused.json()["code"]) == (409, "plugin_missing")
            assert "'pearson'" in refused.json()["detail"]
        repeated = service.client.post("/jobs", json={"recipe": service.job(trained)["recipe"]})
        assert repeated.status_code == 422
        assert "'pearson'" in repeated.text
    finally:
        service.stop()

    service = Service(tmp_path / "home", FORGER_PLUGINS=str(file)).start()
    try:
        assert service.client.post(f"/jobs/{paused}/resume").status_code == 200
        service.wait_for(paused, "running")
        assert service.client.post(f"/jobs/{paused}/cancel").status_code == 200
    finally:
        service.stop()


def test_plugin_that_cannot_be_loaded_stops_the_start(tmp_path: Path) -> None:
    service = Service(tmp_path / "home", FORGER_PLUGINS=str(tmp_path / "absent.py"))
    command, env = service.command(), service.env()
    process = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert process.returncode == 2
    assert f"The plugin {tmp_path / 'absent.py'} does not exist" in process.stderr
    assert "Traceback" not in process.stderr
