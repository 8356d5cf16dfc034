"""The rules of deploy/alerts.yml use only metrics and labels that /metrics exposes."""

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
METRIC = re.compile(r'\b((?:forger|process)_\w+)(?:\{(\w+)=(~?)"([^"]*)"\})?')
"""a metric, and the label it is selected by, if any"""


def expressions() -> list[str]:
    return [rule["expr"] for rule in RULES]


def unknown_words(expression: str) -> set[str]:
    """Return words that are neither our metrics nor part of the language; `up` is Prometheus's own metric."""
    plain = re.sub(r'"[^"]*"|\{[^}]*\}|\[[^\]]*\]', "", METRIC.sub("", expression))
    return set(re.findall(r"[a-z_]\w*", plain)) - {"up", "and", "on", "by", "sum", "increase", "instance"}


def test_every_rule_has_a_unique_name_and_a_summary() -> None:
    assert len({rule["alert"] for rule in RULES}) == len(RULES)
    assert all(rule["annotations"]["summary"].endswith(".") for rule in RULES)


@pytest.mark.parametrize("expression", expressions())
def test_rule_uses_only_known_words(expression: str) -> None:
    assert unknown_words(expression) == set()


def test_every_metric_and_label_of_a_rule_is_exposed(database: Path) -> None:
    with TestClient(create_app(Settings()), base_url="http://127.0.0.1") as client:
        make_job()
        client.get("/jobs")
        exposed = client.get("/metrics").text
    samples = [sample for family in text_string_to_metric_families(exposed) for sample in family.samples]
    for name, label, _, wanted in (match for text in expressions() for match in METRIC.findall(text)):
        of_metric = [sample for sample in samples if sample.name == name]
        assert of_metric, f"/metrics does not expose {name}"
        if label:
            values = {sample.labels[label] for sample in of_metric}
            assert values
            unknown = set(wanted.split("|")) - (values if label == "state" else STATUSES)
            assert not unknown, f"no {name} has the {label} {unknown}"
