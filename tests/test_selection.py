"""The tiers of the suite: what each takes, and that every promise of the service is tested in `make test`."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from app.core.settings import CHECKOUT

PROMISES = {
    "a killed job goes on with the same bytes": "e2e/test_kill.py::test_killed_job_ends",
    "one terminal state, over kills of broker and API": "e2e/test_kill.py::test_job_survives_pauses_a_wiped_broker",
    "one terminal state, over kills of the database": "e2e/test_kill_postgresql.py::test_crash_of_the_database",
    "a checkpoint is verified when it is loaded": "worker/test_worker.py::test_damaged_checkpoint_is_reported",
    "a cancel frees the device": "worker/test_worker.py::test_cancel_ends_the_runner",
    "bad input is refused": "forger/cli/test_pictures.py::test_invalid_command_is_refused_with_one_sentence",
    "nothing uploaded breaks the service": "app/core/test_sandbox.py::test_child_that_breaks",
    "overload is shed": "app/api/test_remote.py::test_overload_is_refused_with_429",
    "a seed gives the same bytes at any load": "app/api/test_remote.py::test_inference_worker_returns_the_same_bytes",
    "no key, no address beyond loopback": "app/embedded/test_serve.py::test_public_address_without_a_key_is_refused",
}
"""each of a test that starts real processes"""
TESTS = """
import pytest

@pytest.mark.parametrize("n", range(20))
@pytest.mark.sampled(6, quick=2)
def test_many(n): ...

@pytest.mark.slow
def test_slow(): ...

@pytest.mark.long
def test_long(): ...

@pytest.mark.parametrize("backend", ["sqlite", "postgresql"])
def test_both(backend): ...
"""
Take = Callable[..., set[str]]


def collect(folder: Path, *options: str) -> set[str]:
    """The names of the tests that a run in the folder would take."""
    command = [sys.executable, "-P", "-m", "pytest", "--collect-only", "-q", *options]
    env = os.environ | {"PYTHONPATH": str(CHECKOUT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    output = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=True).stdout
    return {line for line in output.splitlines() if "::" in line}


@pytest.fixture
def take(tmp_path: Path) -> Take:
    (tmp_path / "test_it.py").write_text(TESTS)
    return lambda *options: {
        line.partition("::")[2] for line in collect(tmp_path, "-p", "tests.selection", "--take", *options)
    }


@pytest.mark.processes
def test_every_tier_takes_those_below_and_the_rest_is_the_rest(take: Take) -> None:
    quick, usual, rest, everything = (take(tier) for tier in ("quick", "usual", "rest", "all"))
    assert len(quick) == 3
    assert "test_both[sqlite]" in quick
    assert usual - quick >= {"test_slow", "test_both[postgresql]"}
    assert len(usual) == 9
    assert rest == everything - usual
    assert "test_long" in rest


@pytest.mark.processes
def test_parts_share_out_the_rest_and_another_seed_draws_another_sample(take: Take) -> None:
    rest, first, second = take("rest"), take("rest", "--part", "0/2"), take("rest", "--part", "1/2")
    assert first | second == rest
    assert not first & second
    assert first
    assert second
    assert take("usual") == take("usual")
    assert take("usual") != take("usual", "--sample-seed", "2")


@pytest.mark.processes
def test_every_promise_is_tested_in_make_test() -> None:
    nodes = {promise: f"tests/{node}" for promise, node in PROMISES.items()}
    taken = collect(CHECKOUT, "--take", "usual", *sorted({node.partition("::")[0] for node in nodes.values()}))
    assert [promise for promise, node in nodes.items() if not any(line.startswith(node) for line in taken)] == []
