"""Generators of Python and TypeScript clients accept the OpenAPI document, and the Python client trains and samples."""

import json
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from app.core.settings import CHECKOUT, Settings
from app.main import create_app
from tests.conftest import StartService

SUPPORT = CHECKOUT / "tests" / "support"
PNG = "89504e470d0a1a0a"
BINARY_MEDIA = ("image/png", "image/jpeg", "image/webp", "application/zip", "application/vnd.apache.parquet")


@pytest.fixture
def document(tmp_path: Path) -> dict[str, Any]:
    return create_app(Settings(home=tmp_path)).openapi()


def test_schema_and_operation_names_are_public_and_unique(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    assert [name for name in schemas if not name.isalnum()] == []
    assert {name: schema["title"] for name, schema in schemas.items()} == {name: name for name in schemas}
    ids = Counter(operation["operationId"] for path in document["paths"].values() for operation in path.values())
    assert {"createJob", "getJob", "getSample", "translatePicture"} <= set(ids)
    assert [name for name, count in ids.items() if count > 1 or not name.isalpha()] == []


def test_tags_api_key_and_servers_are_described(document: dict[str, Any]) -> None:
    used = {tag for path in document["paths"].values() for operation in path.values() for tag in operation["tags"]}
    assert used == {tag["name"] for tag in document["tags"]}
    assert all(tag["description"] for tag in document["tags"])
    assert document["components"]["securitySchemes"]["key"]["scheme"] == "bearer"
    assert document["servers"] == [{"url": "/"}]


@pytest.mark.long
def test_generated_python_client_trains_and_samples(
    document: dict[str, Any], tmp_path: Path, start_service: StartService
) -> None:
    venv, document_path, config_path = tmp_path / "venv", tmp_path / "openapi.json", tmp_path / "config.json"
    document_path.write_text(json.dumps(document))
    # The generator knows one binary media type: it must be told that these are bytes too.
    config_path.write_text(
        json.dumps({"content_type_overrides": dict.fromkeys(BINARY_MEDIA, "application/octet-stream")})
    )
    run(sys.executable, "-m", "venv", venv)
    lock = CHECKOUT / "requirements" / "clients.lock"
    run(venv / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes", "-r", lock)
    generator = venv / "bin" / "openapi-python-client"
    output = run(
        generator, "generate", "--path", document_path, "--output-path", tmp_path / "generated", "--meta", "none",
        "--config", config_path, "--fail-on-warning", env={"PATH": f"{venv / 'bin'}:/usr/bin:/bin"},
    )  # fmt: skip
    assert "WARNING" not in output
    shutil.copy(SUPPORT / "generated_client.py", tmp_path)
    result = json.loads(run(venv / "bin" / "python", tmp_path / "generated_client.py", start_service().url))
    assert result == {"state": "succeeded", "sample": PNG}


@pytest.mark.long
@pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")
def test_generated_typescript_client_compiles(document: dict[str, Any], tmp_path: Path) -> None:
    shutil.copytree(SUPPORT / "typescript", tmp_path, dirs_exist_ok=True)
    (tmp_path / "openapi.json").write_text(json.dumps(document))
    (tmp_path / "use.ts").write_text(
        'import type { components, operations } from "./forger";\n'
        'export const job: Partial<components["schemas"]["TrainIn"]> = { recipe: "gan", dataset: "ring8" };\n'
        'export type Created = operations["createJob"]["responses"];\n'
    )
    run("npm", "ci", "--silent", "--no-audit", "--no-fund", cwd=tmp_path)
    run("npx", "openapi-typescript", "openapi.json", "-o", "forger.ts", cwd=tmp_path)
    run("npx", "tsc", "--noEmit", "--strict", "forger.ts", "use.ts", cwd=tmp_path)


def run(*command: str | Path, cwd: Path | None = None, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr
