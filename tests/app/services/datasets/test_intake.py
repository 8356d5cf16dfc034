"""What is left of uploads that are refused, and what cannot change their answers."""

from pathlib import Path
from typing import Any

import pytest

from app.core.errors import Conflict, Invalid
from app.core.sandbox.parent import Overran, Sandbox
from app.core.settings import get_settings
from app.services.datasets import catalog, intake
from app.services.datasets.intake import Intake
from data.uploads import read_untrusted
from models.spec.datasets import DatasetInfo
from tests.app.services.datasets.test_catalog import take
from tests.support.zips import classes, picture


def stored() -> set[Path]:
    return {path for path in get_settings().artifacts.rglob("*") if path.is_file()}


def test_a_refused_upload_leaves_nothing_in_the_store(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report, before = take("other", {"1.png": picture(9)}).report, stored()
    assert report is not None

    def undrawn(*_: object) -> bytes:
        raise Invalid("No sheet.")

    def overtaken(_: Intake, path: Path, laid: object, info: DatasetInfo, index: object) -> bytes:
        catalog.add(info, report, archive_sha256="0" * 64, index_sha256="0" * 64, sheet_sha256="0" * 64)
        return b"drawn too late"

    for sheet, refusal in ((undrawn, Invalid), (overtaken, Conflict)):
        monkeypatch.setattr(Intake, "_sheet", sheet)
        with pytest.raises(refusal):
            take("pets", classes("cat", "dog"))
        assert stored() == before


def test_the_processor_time_of_an_upload_is_bounded(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small files may take long to read: what counts is the time."""
    monkeypatch.setattr(intake, "INTAKE_CPU_S", 1e-6)
    monkeypatch.setattr(intake, "INTAKE_CPU_S_PER_MB", 0)
    monkeypatch.setattr(intake, "CHUNK", 2)
    with pytest.raises(Invalid, match=r"\(intake_cpu_seconds\): 2 of 6 were read") as refused:
        take("pets", classes("cat", "dog"))
    assert refused.value.code == "archive_limit"
    assert stored() == set()


def test_a_child_that_breaks_over_forgetting_changes_no_answer(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Sandbox.run

    def breaking(self: Sandbox, function: Any, *args: Any, **limits: Any) -> Any:
        if function is read_untrusted.close_archives:
            raise Overran("It broke.")
        return run(self, function, *args, **limits)

    monkeypatch.setattr(Sandbox, "run", breaking)
    assert take("pets", classes("cat", "dog")).info.size == 6
    with pytest.raises(Invalid, match="empty"):
        take("nothing", {})
