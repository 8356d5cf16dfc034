"""Forger.export and `forger models export`: a version saved as a zip for use without Forger."""

import zipfile
from pathlib import Path

import pytest

from forger import Forger, ForgerProblem, Job
from tests.support.forger_command import run_forger
from tests.support.service import Service

pytestmark = [pytest.mark.slow, pytest.mark.processes]


def test_client_saves_a_version_with_its_parity(forger: Forger, trained: Job, tmp_path: Path) -> None:
    assert trained.model is not None
    exported = forger.export(trained.model, tmp_path / "out.zip")
    assert forger.export("cdcgan-digits", tmp_path / "newest.zip").model == trained.model
    assert (exported.path, exported.model) == (tmp_path / "out.zip", trained.model)
    assert "inputs=64" in exported.parity
    with zipfile.ZipFile(exported.path) as archive:
        assert set(archive.namelist()) == {"weights.safetensors", "card.md", "card.json", "samples.png"}


def test_refused_export_leaves_no_file(forger: Forger, trained: Job, tmp_path: Path) -> None:
    with pytest.raises(ForgerProblem, match="There is no version '99'"):
        forger.export("cdcgan-digits@99", tmp_path / "out.zip")
    with pytest.raises(ValueError, match=r"end the name in \.zip"):
        forger.export("cdcgan-digits@1", tmp_path / "out.onnx", "onnx")
    assert list(tmp_path.iterdir()) == []


def test_command_exports_the_newest_version_of_a_name(service: Service, trained: Job, tmp_path: Path) -> None:
    assert trained.model is not None
    name = trained.model.partition("@")[0]
    out = tmp_path / "out.zip"
    ended = run_forger(service.env(), "models", "export", name, "-o", str(out))
    assert ended.returncode == 0, ended.stderr
    assert f"{trained.model} as safetensors, parity max_abs=" in ended.stdout
    assert zipfile.is_zipfile(out)
