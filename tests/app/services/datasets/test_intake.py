"""The intake of uploads: what refused uploads leave, the limit of processor time, and children that break."""

from pathlib import Path
from typing import Any

import pytest

from app.core.errors import Conflict, Invalid
from app.core.sandbox.parent import Overran, Sandbox
from app.services.datasets import catalog, intake
from app.services.datasets.intake import Intake
from data.uploads import read_untrusted
from models.spec.datasets import DatasetInfo
from tests.support.datasets import upload_dataset
from tests.support.stored_files import stored_files
from tests.support.zips import classes, picture


def test_refused_upload_leaves_no_file_in_the_store(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report, before = upload_dataset("other", {"1.png": picture(9)}).report, stored_files()
    assert report is not None

    def fail_to_draw(*_: object) -> bytes:
        raise Invalid("No sheet.")

    def lose_the_name(_: Intake, path: Path, layout: object, info: DatasetInfo, index: object) -> bytes:
        catalog.add(info, report, archive_sha256="0" * 64, index_sha256="0" * 64, sheet_sha256="0" * 64)
        return b"drawn too late"

    for sheet, refusal in ((fail_to_draw, Invalid), (lose_the_name, Conflict)):
        monkeypatch.setattr(Intake, "_sheet", sheet)
        with pytest.raises(refusal):
            upload_dataset("pets", classes("cat", "dog"))
        assert stored_files() == before


def test_processor_time_of_an_upload_is_limited(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small files may take long to decode, so the limit is in seconds."""
    monkeypatch.setattr(intake, "INTAKE_CPU_S", 1e-6)
    monkeypatch.setattr(intake, "INTAKE_CPU_S_PER_MB", 0)
    monkeypatch.setattr(intake, "PICTURES_PER_CALL", 2)
    with pytest.raises(Invalid, match=r"\(intake_cpu_seconds\): 2 of 6 were read") as refused:
        upload_dataset("pets", classes("cat", "dog"))
    assert refused.value.code == "archive_limit"
    assert stored_files() == set()


def test_child_that_breaks_while_closing_archives_changes_no_result(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Sandbox.run

    def run_or_break(self: Sandbox, function: Any, *args: Any, **limits: Any) -> Any:
        if function is read_untrusted.close_archives:
            raise Overran("It broke.")
        return run(self, function, *args, **limits)

    monkeypatch.setattr(Sandbox, "run", run_or_break)
    assert upload_dataset("pets", classes("cat", "dog")).info.size == 6
    with pytest.raises(Invalid, match="empty"):
        upload_dataset("nothing", {})
