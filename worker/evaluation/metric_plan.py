"""Choose the metrics that fit a generator's data and game, and prepare each."""

import math
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, cached_property, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from data.batches import as_bytes, scaled
from data.images import Pixels, scatter, sheet, text_sheet
from data.readers.builtin import Data
from data.toy import MIXTURES, VALID, spelled
from models.games.game import Batch
from models.games.paired import Question, ask
from models.spec.datasets import DATASETS
from models.spec.games import Paired
from worker.evaluation.chunked import part_of, shares, small, some, spread
from worker.evaluation.generator_under_test import Exam, Seen, present
from worker.evaluation.metrics.classes import (
    agreement,
    agreement_by_class,
    class_modes,
    inception_score,
    intra_diversity,
    pairwise_diversity,
    relative,
    within_class_spread,
)
from worker.evaluation.metrics.distances import frechet, kid, sinkhorn, sliced_wasserstein, transport
from worker.evaluation.metrics.mixtures import divergence, modes
from worker.evaluation.metrics.neighbours import ROUNDING, copies, density_coverage, nearest, precision_recall, variety
from worker.evaluation.metrics.pictures import BASELINES, Pile, psnr, ssim

PAIRED = 10_000
"""examples of either side at most where each is compared with each"""
TRANSPORTED, BLURRED = 2_500, 500
"""points at most for the exact transport and for Sinkhorn's"""
SUSPECTS = 1_000
"""made pictures at most that are searched for copies"""
SEEN = 1_000
"""training pictures of either kind that baselines learn from"""
STRINGS, SCATTER, SHOWN = 64, 512, 16
"""strings, pixels of a scatter plot, and pictures on the report's sheet"""

T = TypeVar("T")
Measure = tuple[tuple[str, ...], Callable[[], tuple[float, ...]]]
"""names of figures, and how to come by them"""


@dataclass(frozen=True)
class Plan:
    """What can be measured. `per_class` and `baselines` belong to figures that are among the measures."""

    measures: list[Measure]
    n_real: int
    n_fake: int
    picture: Callable[[], Pixels] | None = None
    per_class: Mapping[str, Callable[[], dict[str, float]]] = field(default_factory=dict)
    baselines: Mapping[str, list[Measure]] = field(default_factory=dict)
    compared: bool = True
    """by features"""


def plan_of(exam: Exam) -> Plan:
    match exam.recipe.game.kind, exam.recipe.data.kind:
        case (("synthesis" | "reconstruction"), "points"):
            return _points(exam)
        case "synthesis", "sequences":
            return _strings(exam)
        case "synthesis", _:
            return _drawn(exam)
        case "unpaired", _:
            return _translated(exam)
        case "paired", _:
            return _answered(exam)
        case _:
            return _rebuilt(exam)


def _drawn(exam: Exam) -> Plan:
    """Pictures from noise, beside the reference."""
    real, made = exam.real(), Seen(*exam.drawn(), exam)
    train = present(exam.train.images)
    known = cache(lambda: small(train, beat=exam.beat))  # both that need it may pass over a disk
    measures = [*_compared(real, made), _one("copies", lambda: _copies(known(), made.pictures))]
    per_class = {}
    if exam.wish == "inception" and exam.network.classes:
        measures.append(_one("inception_score", lambda: inception_score(present(made.compared[1]))))
    if real.labels is not None:
        measures.append(_one("classifier_score", lambda: inception_score(made.logits)))
        if made.labels is None:
            measures.append((("modes", "kl"), lambda: class_modes(made.said, exam.judge.classes)))
        else:
            measures += _conditional(exam, real, real.labels, made, made.labels)
            per_class["agreement"] = partial(_agreement_by_class, made, made.labels)
    picture = partial(_beside_nearest, train, known, made.pictures)
    return Plan(measures, len(real.pictures), exam.n, picture, per_class=per_class)


def _compared(real: Seen, made: Seen) -> list[Measure]:
    """By features, without labels."""

    def in_pairs(figure: Callable[[Tensor, Tensor], T]) -> Callable[[], T]:
        return lambda: figure(_few(real.features), _few(made.features))

    return [
        _one("frechet", lambda: frechet(real.features, made.features)),
        _one("kid", in_pairs(kid)),
        (("precision", "recall"), in_pairs(precision_recall)),
        (("density", "coverage"), in_pairs(density_coverage)),
        _one("diversity", in_pairs(lambda one, other: relative(pairwise_diversity, other, one))),
        _one("variety", in_pairs(_variety)),
    ]


def _few(x: Tensor) -> Tensor:
    return some(x, PAIRED)


def _variety(real: Tensor, made: Tensor) -> float:
    equal = min(len(real), len(made))
    return variety(some(real, equal), some(made, equal))


def _conditional(exam: Exam, real: Seen, labels: Tensor, made: Seen, asked: Tensor) -> list[Measure]:
    """Whether what was asked for came, and in how many ways."""

    def read() -> tuple[float, float]:
        share = agreement(made.said, asked)
        return share, share

    def over_real(figure: Callable[[Tensor, Tensor], float], mine: Tensor, theirs: Tensor) -> float:
        usual = figure(_few(theirs), _few(labels))
        size = float(theirs.flatten(1).double().norm(dim=1).mean())
        return figure(_few(mine), _few(asked)) / usual if usual > ROUNDING * size else math.nan

    measures: list[Measure] = [
        (("agreement", "gan_test"), read),
        _one("gan_train", lambda: _gan_train(exam, made.pictures, asked, real.pictures, labels)),
    ]
    if min(len(asked), len(labels)) >= 2 * exam.recipe.classes:
        measures += [
            _one("spread", lambda: over_real(within_class_spread, made.pictures, real.pictures)),
            _one("intra_diversity", lambda: over_real(intra_diversity, made.features, real.features)),
        ]
    return measures


def _agreement_by_class(made: Seen, asked: Tensor) -> dict[str, float]:
    return {str(number): share for number, share in agreement_by_class(made.said, asked).items()}


def _gan_train(exam: Exam, made: Tensor, asked: Tensor, real: Tensor, labels: Tensor) -> float:
    """Accuracy on real pictures of a judge that learned from made ones alone (Shmelkov et al. 2018)."""
    with TemporaryDirectory() as nowhere:
        student = exam.taught(Data(images=made, labels=asked), Path(nowhere))
    return agreement(present(exam.look(student, real)[1]).argmax(dim=1), labels)


def _points(exam: Exam) -> Plan:
    """Points from noise, or rebuilt ones where nothing can be drawn; figures are in the data's own unit."""
    real = present(exam.reference.points)[: exam.n]
    made = exam.drawn()[0] if exam.recipe.draws else exam.rebuilt(real)
    mixture = MIXTURES[exam.recipe.data.dataset]
    measures = [
        _one("divergence", lambda: divergence(made, mixture)),
        _one("sliced_wasserstein", lambda: sliced_wasserstein(real, made, exam.stream("directions"))),
        _one("sinkhorn", lambda: sinkhorn(real[:BLURRED], made[:BLURRED])),
        _one("transport", lambda: transport(real[:TRANSPORTED], made[:TRANSPORTED])),
    ]
    if made.shape[1] == 1:  # the modes of a line run into one another
        return Plan(measures, len(real), len(made), compared=False)
    measures.append((("modes", "high_quality", "reverse_kl"), lambda: tuple(modes(made, mixture))))
    shown = slice(0, TRANSPORTED)
    draw = lambda: scatter(made[shown].numpy(), SCATTER, real[shown].numpy(), mixture.modes)  # noqa: E731
    return Plan(measures, len(real), len(made), draw, compared=False)


def _strings(exam: Exam) -> Plan:
    """Strings from noise; the reference only says how many there are."""
    name = exam.recipe.data.dataset
    symbols = exam.drawn()[0].argmax(dim=2)
    measures = [_one("distinct", lambda: len(torch.unique(symbols, dim=0)) / len(symbols))]
    valid = VALID[name](symbols.numpy()) if name in VALID else None
    if valid is not None:
        measures.append(_one("valid", lambda: float(valid.mean())))
    shown = spelled(symbols[:STRINGS].numpy(), DATASETS[name].alphabet)
    ticked = None if valid is None else valid[:STRINGS].tolist()
    n_real = len(present(exam.reference.sequences))
    return Plan(measures, n_real, len(symbols), lambda: text_sheet(shown, ticked), compared=False)


@dataclass(frozen=True, eq=False)
class Way:
    """One direction of a translation. All are pictures uint8 [n, c, s, s], the first three equally many."""

    given: Tensor
    made: Tensor
    wanted: Tensor
    source: Tensor
    target: Tensor
    """training pictures like what is given, and like what is wanted"""

    def learned(self, rows: slice) -> Tensor:
        return scaled(self.made[rows])

    def without_learning(self, rows: slice, baseline: str) -> Tensor:
        return BASELINES[baseline](scaled(self.given[rows]), *self._known)

    @cached_property
    def _known(self) -> tuple[Pile, Pile]:
        source, target = (Pile.of(map(scaled, shares(pile))) for pile in (self.source, self.target))
        return source, target

    def rows(self, known: bool) -> list[Tensor]:
        """What belongs side by side."""
        return [self.given, self.made, self.wanted] if known else [self.given, self.made]


def _translated(exam: Exam) -> Plan:
    """Both ways between two piles; beside the true counterparts where the reference has them."""
    nets = exam.generator
    assert isinstance(nets, nn.ModuleDict)
    n = min(exam.n, *(len(pile) for pile in exam.piles(exam.reference)))
    a, b = (some(pile, n) for pile in exam.piles(exam.reference))
    source, target = (some(pile, SEEN) for pile in exam.piles(exam.train))
    ways = {
        "a2b": Way(a, exam.made(lambda rows: nets["a2b"](exam.given(a[rows])), n), b, source, target),
        "b2a": Way(b, exam.made(lambda rows: nets["b2a"](exam.given(b[rows])), n), a, target, source),
    }
    data = exam.recipe.data
    return _ways(exam, ways, known=data.kind == "paired" or (data.dataset == "day2night" and exam.split == "test"))


def _answered(exam: Exam) -> Plan:
    """Answers of the paired game beside the right ones. What a baseline is given has the answer's size and channels."""
    answered = [_answer(exam, question) for question in _questions(exam, exam.reference, "")]
    learned_from = [_kept(question) for question in _questions(exam, exam.train, "train")]
    given, wanted, made = map(torch.cat, zip(*answered, strict=True))
    source, target = map(torch.cat, zip(*learned_from, strict=True))
    return _ways(exam, {"": Way(given, made, wanted, source, target)}, known=True)


def _answer(exam: Exam, question: Question) -> tuple[Tensor, Tensor, Tensor]:
    """What is given, what is wanted, and what the generator makes."""
    return *_kept(question), exam.made(lambda rows: exam.answers(question.part(rows)), len(question.answer))


def _kept(question: Question) -> tuple[Tensor, Tensor]:
    """What is given and what is wanted, uint8."""
    return as_bytes(_shown(question)), as_bytes(question.answer)


def _ways(exam: Exam, ways: Mapping[str, Way], known: bool) -> Plan:
    piles = {name: (Seen(way.wanted, None, exam), Seen(way.made, None, exam)) for name, way in ways.items()}

    def apart(figure: Callable[[Tensor, Tensor], float], name: str) -> float:
        real, made = piles[name]
        return figure(_few(real.features), _few(made.features))

    def near(translate: Callable[[Way, slice], Tensor]) -> list[Measure]:
        def to_wanted(figure: Callable[[Tensor, Tensor], float], name: str) -> float:
            return _near(exam, figure, partial(translate, ways[name]), ways[name].wanted)

        return [_by_way("psnr", ways, partial(to_wanted, psnr)), _by_way("ssim", ways, partial(to_wanted, ssim))]

    measures = [_by_way("frechet", ways, partial(apart, frechet)), _by_way("kid", ways, partial(apart, kid))]
    n = min(len(way.made) for way in ways.values())
    shown = [way.rows(known) for way in ways.values()]
    if not known:
        return Plan(measures, n, n, partial(_side_by_side, shown))
    baselines = {name: near(partial(Way.without_learning, baseline=name)) for name in BASELINES}
    return Plan(measures + near(Way.learned), n, n, partial(_side_by_side, shown), baselines=baselines)


def _by_way(figure: str, ways: Collection[str], measure: Callable[[str], float]) -> Measure:
    """The figure of each way, and their mean under its own name; of a single way that alone."""
    if len(ways) == 1:
        return _one(figure, lambda: measure(*ways))

    def each_and_mean() -> tuple[float, ...]:
        values = [measure(way) for way in ways]
        return (*values, sum(values) / len(values))

    return (*(f"{figure}_{way}" for way in ways), figure), each_and_mean


def _near(
    exam: Exam, figure: Callable[[Tensor, Tensor], float], translate: Callable[[slice], Tensor], wanted: Tensor
) -> float:
    """A figure that is a mean over pictures, part by part; `wanted` is uint8 [n, c, s, s]."""
    total, size = 0.0, part_of(wanted.shape)
    for start in range(0, len(wanted), size):
        rows = slice(start, start + size)
        total += figure(translate(rows), scaled(wanted[rows])) * len(wanted[rows])
        exam.beat()
    return total / len(wanted)


def _questions(exam: Exam, data: Data, name: str) -> Iterator[Question]:
    """Of n examples of the data at most, evenly spread, part by part; SEEN of the training ones."""
    game, holes = exam.recipe.game, exam.stream(f"holes/{name}")
    assert isinstance(game, Paired)
    piles = [data.images] if data.images is not None else list(exam.piles(data))
    first = present(piles[0])
    for rows in torch.split(spread(len(first), SEEN if name else exam.n), part_of(first.shape)):
        real, *other = (scaled(present(pile)[rows]) for pile in piles)
        yield ask(game, Batch(real, other=other[0] if other else None), holes)
        exam.beat()


def _shown(question: Question) -> Tensor:
    """What was given, at the size and with the channels of the answer."""
    answer = question.answer
    return F.interpolate(question.given[:, : answer.shape[1]], size=answer.shape[2:], mode="nearest").expand_as(answer)


def _rebuilt(exam: Exam) -> Plan:
    """Plan the metrics of an autoencoder: of rebuilt pictures, and of drawn ones where it can draw."""
    real = exam.real()
    rebuilt = exam.rebuilt(real.pictures)

    def near(figure: Callable[[Tensor, Tensor], float]) -> Callable[[], float]:
        return lambda: _near(exam, figure, lambda rows: scaled(rebuilt[rows]), real.pictures)

    measures = [_one("psnr", near(psnr)), _one("ssim", near(ssim))]
    if exam.recipe.draws:
        drawn = _drawn(exam)
        return replace(drawn, measures=measures + drawn.measures)
    n = len(rebuilt)
    return Plan(measures, n, n, lambda: _side_by_side([[real.pictures, rebuilt]]), compared=False)


def _one(name: str, measure: Callable[[], float]) -> Measure:
    return (name,), lambda: (measure(),)


def _copies(known: Tensor, made: Tensor) -> float:
    """`known` are training pictures as rows, small."""
    return copies(known, small(made[:SUSPECTS]))


def _beside_nearest(train: Tensor, known: Callable[[], Tensor], made: Tensor) -> Pixels:
    """Pairs of a made picture and the training picture nearest to it."""
    shown = made[:SHOWN]
    return _side_by_side([[shown, train[nearest(known(), small(shown))]]])


def _side_by_side(ways: list[list[Tensor]]) -> Pixels:
    """Pictures that belong together stand side by side, twice a row; SHOWN of each kind in all."""
    rows = [torch.stack([pile[: SHOWN // len(ways)] for pile in way], dim=1).flatten(0, 1) for way in ways]
    pictures = torch.cat(rows).permute(0, 2, 3, 1).contiguous().numpy()
    return sheet(pictures, columns=2 * len(ways[0]), gap=1)
