"""Keep rounds in which people told real pictures from a model's, and the figure that they give together.

A picture of a round is known by the seed and its index: GET /datasets/{name}/pictures and GET /sample show it again.
"""

from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import Any

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
from forger.schemas.judgements import Answer, HumanFigure, HumanProvenance, JudgementOut, JudgementPage
from models.spec.data import Images

CARD_KEY = "human"
"""key of the figure on the card of a version"""


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
            raise _too_many_rounds(view.reference)
        hits = sum(answer["truth"] == answer["guess"] for answer in answers)
        id_ = rows.add(session, row.id, judge, seed, hits=hits, answers=list(answers))
        if id_ is None:
            raise _already_judged(view.reference, judge, seed)
        figure = _figure(view, rows.of_version(session, row.id))
        versions.write_on_card(session, view.reference, CARD_KEY, figure.model_dump())
        added = rows.find(session, id_)
        assert added is not None
        return _out(view.reference, added)


def page(reference: str, limit: int, after: str | None) -> JudgementPage:
    """Return rounds of a version, newest first, with the figure of all. Raises NotFound."""
    with unit_of_work(read_only=True) as session:
        row = versions.find(session, *registry.parse(reference))
        if row is None:
            raise registry.not_found(reference)
        listed = rows.page(session, row.id, limit + 1, after)
        data = [_out(f"{row.name}@{row.version}", each) for each in listed[:limit]]
        has_more = len(listed) > limit
        next_cursor = data[-1].id if has_more else None
        return JudgementPage(figure=row.card.get(CARD_KEY), data=data, has_more=has_more, next_cursor=next_cursor)


def _figure(view: VersionView, rounds: Sequence[Judgement]) -> HumanFigure:
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
        truth, index = answer["truth"], answer["index"]
        pointer = f"/answers/{position}/index"
        if index >= reals:
            yield FieldError(pointer, f"The {reals} {truth} pictures have the indices 0 to {reals - 1}, not {index}.")
        elif (truth, index) in seen:
            yield FieldError(pointer, f"The {truth} picture {index} is there twice: show each once.")
        seen.add((truth, index))


def _require_pictures(view: VersionView) -> None:
    """Raise Conflict unless the version draws pictures of one domain from noise."""
    if not (view.recipe.generates and isinstance(view.recipe.data, Images)):
        sentence = f"{view.reference} draws no pictures from noise, so no fakes can be judged: choose another model."
        raise Conflict(sentence, code="nothing_to_judge")
    if view.recipe.data.dataset not in catalog.all_datasets():
        sentence = f"The pictures that {view.reference} learned are no dataset here, so there are no real ones to show."
        raise Conflict(sentence, code="nothing_to_judge")


def _too_many_rounds(reference: str) -> Conflict:
    sentence = f"{reference} has {MAX_ROUNDS} rounds already (rounds). Publish the checkpoint again to judge it anew."
    return Conflict(sentence, code="too_many_rounds")


def _already_judged(reference: str, judge: str, seed: int) -> Conflict:
    sentence = f"'{judge}' has judged {reference} with seed {seed} before, and knows its pictures: take another seed."
    return Conflict(sentence, code="already_judged", errors=(FieldError("/seed", sentence),))


def _out(reference: str, row: Judgement) -> JudgementOut:
    return JudgementOut(
        id=row.id,
        model=reference,
        judge=row.judge,
        seed=row.seed,
        n=len(row.answers),
        hits=row.hits,
        answers=tuple(Answer(**answer) for answer in row.answers),
        created_at=row.created_at,
    )
