"""Following a job: every event once and in order, over a line that breaks at any byte."""

from urllib.parse import urlsplit

import pytest

from forger import (
    CheckpointSaved,
    Forger,
    ForgerProblem,
    Job,
    Metrics,
    OtherEvent,
    ProbeTaken,
    SampleDrawn,
    StateChanged,
    Unreachable,
    events,
)
from tests.support.proxy import breaking_line


def port_of(url: str) -> int:
    return urlsplit(url).port or 80


def log_of(job: Job) -> list[tuple[int, str]]:
    return [(event.seq, event.type) for event in job.events()]


def name_of(event: object) -> str:
    names = {StateChanged: "state", Metrics: "metrics", CheckpointSaved: "checkpoint", SampleDrawn: "sample"}
    names |= {ProbeTaken: "probe"}
    return event.type if isinstance(event, OtherEvent) else names[type(event)]


def test_events_are_typed_and_are_the_log(forger: Forger, trained: Job) -> None:
    seen = list(trained.follow())
    assert [(event.seq, name_of(event)) for event in seen] == log_of(trained)
    states = [event.state for event in seen if isinstance(event, StateChanged)]
    assert states == ["queued", "running", "succeeded"]
    steps = [event.step for event in seen if isinstance(event, Metrics)]
    assert steps == sorted(steps), "those of the last step are of its report and of its evaluation"
    assert steps[-1] == 6


def test_a_job_is_followed_while_it_trains(forger: Forger) -> None:
    job = forger.train("dcgan", dataset="digits", budget={"steps": 4})
    *_, last = job.follow()
    assert isinstance(last, StateChanged)
    assert last.last
    assert job.state == "succeeded"
    assert job.model == "dcgan-digits@1"


def test_following_goes_on_past_an_event(trained: Job) -> None:
    whole = list(trained.follow())
    assert list(trained.follow(after=whole[3].seq)) == whole[4:]
    assert list(trained.follow(after=whole[-1].seq)) == []


@pytest.mark.parametrize("step", [400, 701, 1999])
def test_no_event_is_lost_or_doubled_over_a_line_that_breaks(
    step: int, trained: Job, forger: Forger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cuts fall into headers, into the middle of events and between them."""
    monkeypatch.setattr(events, "PAUSE_S", 0.0)
    whole = list(trained.follow())
    with breaking_line(port_of(forger.url), range(step, 40 * step, step)) as url, Forger(url) as shaky:
        assert list(events.follow(shaky._connection, trained.id)) == whole


def test_a_service_that_never_answered_is_not_waited_for(trained: Job) -> None:
    with breaking_line(1, []) as url:
        dead = url
    with Forger(dead) as nobody, pytest.raises(Unreachable, match="forger serve"):
        next(events.follow(nobody._connection, trained.id))


def test_a_service_that_stays_away_is_given_up(trained: Job, forger: Forger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "PAUSE_S", 0.0)
    monkeypatch.setattr(events, "PATIENCE_S", 0.0)
    with breaking_line(port_of(forger.url), [900]) as url:
        shaky = Forger(url)
        arriving = events.follow(shaky._connection, trained.id)
        next(arriving)
    with shaky, pytest.raises(Unreachable):
        list(arriving)


def test_a_job_that_is_not_there_is_a_problem(forger: Forger) -> None:
    with pytest.raises(ForgerProblem) as refused:
        next(events.follow(forger._connection, "job_0"))
    assert refused.value.status == 404
