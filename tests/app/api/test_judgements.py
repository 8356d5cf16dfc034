"""Judgements of people: rounds that are kept, the figure that they give, and rounds that are refused."""

from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from app.services.models import judgements as service
from tests.app.api.conftest import Publish
from tests.support.row_counts import count_rows

Answers = list[dict[str, Any]]


@pytest.fixture
def model(client: TestClient, publish: Publish) -> Iterator[str]:
    """A model of digits that nobody has judged."""
    yield publish(name="judged")
    client.delete("/models/judged")


def answers(hits: int, n: int = 10, ms: int = 800) -> Answers:
    """A round of n pictures of which the first `hits` are answered rightly; answer i takes ms + i milliseconds."""
    order = [(truth, index) for index in range(n // 2) for truth in ("fake", "real")]
    wrong = {"real": "fake", "fake": "real"}
    return [
        {"truth": truth, "index": index, "guess": truth if position < hits else wrong[truth], "ms": ms + position}
        for position, (truth, index) in enumerate(order)
    ]


def judge(client: TestClient, model: str, seed: int = 3, judge: str = "ada", **changes: Any) -> Any:
    body = {"seed": seed, "judge": judge, "answers": answers(7)} | changes
    return client.post(f"/models/{model}/judgements", json=body)


def test_round_is_kept_as_it_was_shown_and_can_be_replayed(client: TestClient, model: str) -> None:
    assert client.get(f"/models/{model}/judgements").json()["figure"] is None
    reply = judge(client, model)
    assert reply.status_code == 201, reply.text
    assert reply.headers["location"] == f"/models/{model}/judgements"
    kept = reply.json()
    assert (kept["judge"], kept["seed"], kept["n"], kept["hits"], kept["answers"]) == ("ada", 3, 10, 7, answers(7))
    page = client.get(f"/models/{model}/judgements").json()
    assert (page["data"], page["has_more"], page["next_cursor"]) == ([kept], False, None)


def test_card_has_the_figure_of_all_rounds(client: TestClient, model: str) -> None:
    judge(client, model)
    judge(client, model, seed=4, answers=answers(10))
    judge(client, model, judge="grace", answers=answers(0, 20, 2000))
    figure = client.get(f"/models/{model}").json()["card"]["human"]
    assert figure == client.get(f"/models/{model}/judgements").json()["figure"]
    low, high = figure.pop("interval")
    assert low < figure["accuracy"] < high
    assert figure == {
        "n": 40,
        "hits": 17,
        "accuracy": 17 / 40,
        "fakes": 20,
        "fakes_taken_for_real": 11,
        "fooling_rate": 11 / 20,
        "median_ms": 1404.5,
        "judges": 2,
        "rounds": 3,
        "provenance": {"dataset": "digits", "split": "train", "seeds": [3, 4], "side": 16, "channels": 1},
    }


def test_rounds_come_in_pages_newest_first(client: TestClient, model: str) -> None:
    for seed in range(3):
        judge(client, model, seed=seed)
    first = client.get(f"/models/{model}/judgements?limit=2").json()
    assert [one["seed"] for one in first["data"]] == [2, 1]
    rest = client.get(f"/models/{model}/judgements?limit=2&after={first['next_cursor']}").json()
    assert ([one["seed"] for one in rest["data"]], rest["has_more"]) == ([0], False)


def test_judge_counts_once_for_each_seed(client: TestClient, model: str) -> None:
    judge(client, model)
    again = judge(client, model, answers=answers(10))
    assert (again.status_code, again.json()["code"]) == (409, "already_judged")
    assert [error["pointer"] for error in again.json()["errors"]] == ["/seed"]
    assert client.get(f"/models/{model}").json()["card"]["human"]["n"] == 10
    assert judge(client, model, judge="grace").status_code == 201


def altered(position: int, **changes: Any) -> Answers:
    changed = answers(7)
    changed[position] |= changes
    return changed


@pytest.mark.parametrize(
    ("changes", "pointer", "word"),
    [
        ({"answers": answers(7)[:9]}, "/answers", "10 to 200"),
        ({"answers": answers(7, 202)}, "/answers", "10 to 200"),
        ({"answers": altered(0, truth="real", index=4)}, "/answers", "as many real pictures as fakes"),
        ({"answers": altered(0, index=5)}, "/answers/0/index", "0 to 4"),
        ({"answers": altered(4, index=0)}, "/answers/4/index", "twice"),
        ({"answers": altered(3, ms=20)}, "/answers/3/ms", "100"),
        ({"answers": altered(3, ms=600_001)}, "/answers/3/ms", "600000"),
        ({"answers": altered(3, guess="perhaps")}, "/answers/3/guess", "perhaps"),
        ({"seed": 2**63}, "/seed", str(2**63)),
        ({"judge": "Ada Lovelace"}, "/judge", "Ada Lovelace"),
    ],
)
def test_impossible_round_is_refused_and_leaves_nothing(
    client: TestClient, model: str, changes: dict[str, Any], pointer: str, word: str
) -> None:
    reply = judge(client, model, **changes)
    assert reply.status_code == 422, reply.text
    assert pointer in [error["pointer"] for error in reply.json()["errors"]]
    assert word in reply.text
    assert count_rows("judgements") == 0
    assert "human" not in client.get(f"/models/{model}").json()["card"]


def test_model_without_pictures_from_noise_cannot_be_judged(client: TestClient, publish: Publish) -> None:
    for family, dataset in (("gan", "ring8"), ("cyclegan", "day2night"), ("autoencoder", "digits")):
        reply = judge(client, publish(family, dataset, name="other"))
        assert (reply.status_code, reply.json()["code"]) == (409, "nothing_to_judge"), reply.text


def test_full_version_is_told_what_to_do(client: TestClient, model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "MAX_ROUNDS", 1)
    judge(client, model)
    reply = judge(client, model, seed=4)
    assert (reply.status_code, reply.json()["code"]) == (409, "too_many_rounds")
    assert "Publish the checkpoint again" in reply.json()["detail"]


def test_judgements_go_with_their_version(client: TestClient, model: str) -> None:
    judge(client, model)
    assert client.delete(f"/models/{model}").status_code == 204
    assert count_rows("judgements") == 0
    assert judge(client, model).status_code == 404
    assert client.get(f"/models/{model}/judgements").status_code == 404
