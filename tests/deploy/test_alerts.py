"""deploy/alerts.yml against what /metrics says."""

import re
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from app.core.settings import CHECKOUT, Settings
from app.main import create_app
from tests.support.jobs import make_job

TEXT = (CHECKOUT / "deploy" / "alerts.yml").read_text()
RULES: list[dict[str, Any]] = [rule for group in yaml.safe_load(TEXT)["groups"] for rule in group["rules"]]
STATUSES = {str(status.value) for status in HTTPStatus}
NAMED = re.compile(r'\b((?:forger|process)_\w+)(?:\{(\w+)=(~?)"([^"]*)"\})?')
"""a metric, and perhaps the label it is chosen by"""


def expressions() -> list[str]:
    return [rule["expr"] for rule in RULES]


def strangers(expression: str) -> set[str]:
    """Words that are neither a metric of ours nor of the language; `up` is Prometheus's own."""
    plain = re.sub(r'"[^"]*"|\{[^}]*\}|\[[^\]]*\]', "", NAMED.sub("", expression))
    return set(re.findall(r"[a-z_]\w*", plain)) - {"up", "and", "on", "by", "sum", "increase", "instance"}


def test_every_rule_has_a_name_of_its_own_and_says_what_to_look_at() -> None:
    assert len({rule["alert"] for rule in RULES}) == len(RULES)
    assert all(rule["annotations"]["summary"].endswith(".") for rule in RULES)


@pytest.mark.parametrize("expression", expressions())
def test_a_rule_asks_for_nothing_that_is_not_known(expression: str) -> None:
    assert strangers(expression) == set()


def test_every_metric_and_label_of_a_rule_is_exposed(database: Path) -> None:
    with TestClient(create_app(Settings()), base_url="http://127.0.0.1") as client:
        make_job()
        client.get("/jobs")
        said = client.get("/metrics").text
    samples = [sample for family in text_string_to_metric_families(said) for sample in family.samples]
    for name, label, _, asked in (match for text in expressions() for match in NAMED.findall(text)):
        found = [sample for sample in samples if sample.name == name]
        assert found, f"/metrics does not say {name}"
        if label:
            values = {sample.labels[label] for sample in found}
            assert values
            unknown = set(asked.split("|")) - (values if label == "state" else STATUSES)
            assert not unknown, f"no {name} has the {label} {unknown}"
