"""Results of benches, as files and as tables of the documentation."""

import json
from pathlib import Path

from bench.results import Row, markdown, write


def test_markdown_table_has_a_row_per_case_and_a_column_per_figure(tmp_path: Path) -> None:
    rows = [Row("ring8 gan", "modes", 7.5, 0.5, 10), Row("ring8 gan", "steps", 10_000), Row("real", "modes", 8)]
    write("modes", rows, tmp_path / "modes.json")
    assert markdown(tmp_path / "modes.json").splitlines() == [
        "| case | modes | steps |",
        "|---|---|---|",
        "| ring8 gan | 7.5 ± 0.5 | 10,000 |",
        "| real | 8 |  |",
    ]


def test_result_file_holds_bench_commit_device_versions_date_and_rows(tmp_path: Path) -> None:
    write("quality", [Row("3 min", "agreement", 0.98, n=5_000, against={"goal": 0.98})], tmp_path / "deep/a.json", x=1)
    result = json.loads((tmp_path / "deep/a.json").read_text())
    assert list(result) == ["bench", "commit", "device", "versions", "date", "rows"]
    assert result["rows"] == [
        {"case": "3 min", "figure": "agreement", "value": 0.98, "spread": None, "n": 5_000, "against": {"goal": 0.98}}
    ]
    assert result["device"]["x"] == 1
