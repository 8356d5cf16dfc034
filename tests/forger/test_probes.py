"""A job of a real service leaves probes: artifacts that events name and the reply type reads."""

from pathlib import Path

from forger import Job, ProbeTaken
from forger.schemas.probe import ProbeOut


def test_a_trained_job_lists_its_probes(trained: Job, tmp_path: Path) -> None:
    listed = trained.artifacts("probe")
    taken = [event for event in trained.follow() if isinstance(event, ProbeTaken)]
    assert sorted((item.step, item.id) for item in listed) == [(event.step, event.artifact) for event in taken]
    assert len(listed) == 6
    for item in listed:
        assert (item.name, item.media_type) == (f"probe-{item.step:09d}.json", "application/json")
        probe = ProbeOut.model_validate_json(trained.save(item, tmp_path / item.name).read_bytes())
        assert probe.step == item.step
        assert sum(probe.critics[0].fake) == 32
