"""Keep rounds in which people told real pictures from a model's, and the figure that they give together.

A picture of a round is known by the seed and its index: GET /datasets/{name}/pictures and GET /sample show it again.
"""

from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import Any, NamedTuple

from app.core.errors import Conflict, FieldError, Invalid
from app.core.limits import MAX_ROUNDS
from app.db.repositories import judgements as rows
from app.db.repositories import models as versions
from app.db.session import unit_of_work
from app.db.tables import Judgement
from app.services.datasets import catalog
from app.services.jobs.confidence import share_interval
from app.services.models import registry
from app.services.views import VersionView, version
from forger.schemas.judgements import Answer, HumanFigure, HumanProvenance, JudgementOut
from models.spec.data import Images

CARD_KEY = "human"
"""key of the figure on the card of a version"""
JUDGED_GAMES = ("synthesis", "reconstruction")
"""games whose networks draw pictures from noise"""


class Page(NamedTuple):
    """Some rounds, newest first, the cursor of the next page, and the figure of all rounds."""

    figure: dict[str, Any] | None
    data: list[JudgementOut]
    cursor: str | None


def add(reference: str, judge: str, seed: int, answers: Sequence[Mapping[str, Any]]) -> JudgementOut:
    """Keep a round and write the new figure onto the version's card.

    Raises NotFound; Invalid if the pictures are not as many real ones as fakes, each once; Conflict if the model draws
    no pictures, if this judge has seen the seed's pictures before, or if MAX_ROUNDS are kept.
    """
    _require_mixed(answers)
    with unit_of_work() as session:
        row = versions.find(session, *registry.parse(reference), lock=True)
        if row is None:
            raise registry.not_found(reference)
        view = version(row)
        _require_pictures(view)
        if rows.count(session, row.id) >= MAX_ROUNDS:
            raise _full(view.reference)
        hits = sum(answer["truth"] == answer["guess"] for answer in answers)
        id_ = rows.add(session, row.id, judge, seed, hits=hits, answers=list(answers))
        if id_ is None:
            raise _seen(view.reference, judge, seed)
        figure = summarise(view, rows.of_version(session, row.id))
        versions.write_on_card(session, row.id, CARD_KEY, figure.model_dump())
        added = rows.find(session, id_)
        assert added is not None
        return _out(view, added)


def page(reference: str, limit: int, after: str | None) -> Page:
    """Return rounds of a version, newest first, with the figure of all. Raises NotFound."""
    with unit_of_work(read_only=True) as session:
        row = versions.find(session, *registry.parse(reference))
        if row is None:
            raise registry.not_found(reference)
        listed = rows.page(session, row.id, limit + 1, after)
        data = [_out(version(row), each) for each in listed[:limit]]
        return Page(row.card.get(CARD_KEY), data, data[-1].id if len(listed) > limit else None)


def summarise(view: VersionView, rounds: Sequence[Judgement]) -> HumanFigure:
    """Return the figure of at least one round of a version."""
    data = view.recipe.data
    assert isinstance(data, Images)
    answers = [answer for each in rounds for answer in each.answers]
    fakes = [answer for answer in answers if answer["truth"] == "fake"]
    n, hits, taken = len(answers), sum(each.hits for each in rounds), sum(fake["guess"] == "real" for fake in fakes)
    return HumanFigure(
        n=n,
        hits=hits,
        accuracy=hits / n,
        interval=share_interval(hits, n),
        fakes=len(fakes),
        fakes_taken_for_real=taken,
        fooling_rate=taken / len(fakes),
        median_ms=median(answer["ms"] for answer in answers),
        judges=len({each.judge for each in rounds}),
        rounds=len(rounds),
        provenance=HumanProvenance(
            dataset=data.dataset,
            split="train",
            seeds=tuple(sorted({each.seed for each in rounds})),
            side=data.side,
            channels=data.channels,
        ),
    )


def _require_mixed(answers: Sequence[Mapping[str, Any]]) -> None:
    """Raise Invalid unless half of the pictures are real and half fakes, with the indices 0, 1, 2, ... each once."""
    if errors := tuple(_mixing_errors(answers)):
        raise Invalid(f"The round was refused. {errors[0].message}", code="round_uneven", errors=errors)


def _mixing_errors(answers: Sequence[Mapping[str, Any]]) -> Iterator[FieldError]:
    reals = sum(answer["truth"] == "real" for answer in answers)
    if 2 * reals != len(answers):
        fakes = len(answers) - reals
        yield FieldError("/answers", f"A round has as many real pictures as fakes, not {reals} and {fakes}.")
        return
    seen: set[tuple[str, int]] = set()
    for position, answer in enumerate(answers):
        picture = answer["truth"], answer["index"]
        pointer = f"/answers/{position}/index"
        if answer["index"] >= reals:
            sentence = f"Of {reals} {answer['truth']} pictures the indices are 0 to {reals - 1}: {picture[1]} is none."
            yield FieldError(pointer, sentence)
        elif picture in seen:
            yield FieldError(pointer, f"The {picture[0]} picture {picture[1]} is there twice: show each once.")
        seen.add(picture)


def _require_pictures(view: VersionView) -> None:
    """Raise Conflict unless the version draws pictures that look like those of one dataset."""
    if not isinstance(view.recipe.data, Images) or view.recipe.game.kind not in JUDGED_GAMES:
        sentence = f"{view.reference} draws no pictures from noise, so no fakes can be judged: choose another model."
        raise Conflict(sentence, code="nothing_to_judge")
    if view.recipe.data.dataset not in catalog.all_datasets():
        sentence = f"The pictures that {view.reference} learned are no dataset here, so there are no real ones to show."
        raise Conflict(sentence, code="nothing_to_judge")


def _full(reference: str) -> Conflict:
    sentence = f"{reference} has {MAX_ROUNDS} rounds already (rounds). Publish the checkpoint again to judge it anew."
    return Conflict(sentence, code="too_many_rounds")


def _seen(reference: str, judge: str, seed: int) -> Conflict:
    sentence = f"'{judge}' has judged {reference} with seed {seed} before, and knows its pictures: take another seed."
    return Conflict(sentence, code="already_judged", errors=(FieldError("/seed", sentence),))


def _out(view: VersionView, row: Judgement) -> JudgementOut:
    return JudgementOut(
        id=row.id,
        model=view.reference,
        judge=row.judge,
        seed=row.seed,
        n=len(row.answers),
        hits=row.hits,
        answers=tuple(Answer(**answer) for answer in row.answers),
        created_at=row.created_at,
    )
