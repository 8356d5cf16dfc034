"""Jobs of kind translate and generate, run in the test's own process."""

from zipfile import ZipFile

from app.core.settings import get_settings
from app.core.store import Store
from app.services.jobs import attempts, lifecycle, shards
from forger.wire import JobState
from worker.runners.main import build_runner


class SilentLink:
    """A link to a supervisor that orders nothing."""

    order = None

    def check_stop(self, step: int, *, now: bool = False) -> None:
        pass


def run_claimed(job_id: str) -> None:
    """Run a job of this test's first attempt to its end."""
    build_runner(lifecycle.get(job_id), 1, SilentLink()).run()  # type: ignore[arg-type]


def run_and_unpack(job_id: str) -> dict[str, bytes]:
    """Run the job; return every file of its shards by name, with the parts of `left_out.csv` joined."""
    assert attempts.claim(job_id, "tests") is not None
    run_claimed(job_id)
    job = lifecycle.get(job_id)
    assert job.state == JobState.SUCCEEDED, job.status_reason
    assert job.step == job.total
    store, files = Store(get_settings().artifacts), dict[str, bytes]()
    for shard in shards.recorded(job_id):
        with ZipFile(store.path(shard.sha256)) as archive:
            for name in archive.namelist():
                assert name not in files or name == "left_out.csv"
                files[name] = files.get(name, b"") + archive.read(name)
    return files
