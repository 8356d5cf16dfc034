"""The full evaluation: which figures, of what, from where; and that good, collapsed and broken generators look it."""

import json
import math
from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from data.readers.builtin import Data, DatasetMissing, Split, load
from models.build import build_generator
from models.spec.data import DataSpec, Images, Unpaired
from models.spec.recipe import Recipe
from models.spec.resolve import resolve
from models.spec.watch import FIGURES
from tests.support.tensors import made_meanwhile
from worker.evaluation import chunked, generator_under_test
from worker.evaluation.comparison import comparisons
from worker.evaluation.full import FullEvaluation, evaluate
from worker.evaluation.generator_under_test import CannotMeasure, GeneratorUnderTest, Sizes
from worker.evaluation.judge import trained_judge
from worker.evaluation.metric_plan import METRICS, MetricPlan, plan_metrics

COMPARED = {"frechet", "kid", "precision", "recall", "density", "coverage", "diversity", "variety", "copies"}
CONDITIONAL = {"agreement", "gan_test", "gan_train", "spread", "intra_diversity"}
POINTS = {"divergence", "sliced_wasserstein", "sinkhorn", "transport"}
BOTH_WAYS = {f"{figure}{way}" for figure in ("frechet", "kid", "psnr", "ssim") for way in ("", "_a2b", "_b2a")}
SMALL = {"data": {"side": 16}}
CASES: dict[tuple[str, str], set[str]] = {
    ("cdcgan", "digits"): COMPARED | CONDITIONAL | {"classifier_score"},
    ("dcgan", "digits"): COMPARED | {"classifier_score", "modes", "kl"},
    ("vae", "digits"): COMPARED | {"classifier_score", "modes", "kl", "psnr", "ssim"},
    ("gan", "ring8"): POINTS | {"modes", "high_quality", "reverse_kl"},
    ("gan", "gaussian1d"): POINTS,
    ("gumbel_gan", "dyck"): {"valid", "distinct"},
    ("cyclegan", "day2night"): BOTH_WAYS,
    ("pix2pix", "day2night"): {"frechet", "kid", "psnr", "ssim"},
    ("srgan", "digits"): {"frechet", "kid", "psnr", "ssim"},
    ("inpaint", "digits"): {"frechet", "kid", "psnr", "ssim"},
}  # fmt: skip


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder of judges for all."""
    return tmp_path_factory.mktemp("judges")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generator_under_test, "QUICK_STEPS", 60)
    monkeypatch.setattr(generator_under_test, "FULL_STEPS", 60)


def recipe_of(family: str, dataset: str) -> Recipe:
    overrides = SMALL if dataset == "day2night" else None
    return resolve(family, dataset=dataset, seed=1, budget={"steps": 100}, overrides=overrides)[1]


@lru_cache(maxsize=8)
def data_of(spec: DataSpec, split: Split) -> Data:
    return load(spec, None, split)


def judged(
    recipe: Recipe,
    generator: nn.Module,
    cache: Path,
    n: int = 64,
    read: Callable[[Split], Data] | None = None,
    **rest: Any,
) -> FullEvaluation:
    return evaluate(recipe, generator.eval(), 7, read or partial(data_of, recipe.data), n=n, cache=cache, **rest)


@pytest.mark.sampled(quick=2)
@pytest.mark.parametrize(("family", "dataset"), CASES)
def test_every_kind_of_data_and_game_has_its_figures(family: str, dataset: str, cache: Path) -> None:
    recipe = recipe_of(family, dataset)
    beats: list[None] = []
    found = judged(recipe, build_generator(recipe), cache, heartbeat=lambda: beats.append(None))
    assert set(found.figures) == CASES[family, dataset]
    assert all(math.isfinite(value) for value in found.figures.values())
    assert {name.removesuffix("_a2b").removesuffix("_b2a") for name in found.figures} <= set(FIGURES)
    assert len(beats) > len(found.figures) / 2
    assert found.provenance["step"] == 7
    assert found.provenance["split"] == ("train" if dataset == "digits" else "test")
    assert json.loads(json.dumps(found.as_dict()))["figures"] == found.figures
    assert (found.picture is None) == (dataset == "gaussian1d")


def live(recipe: Recipe, generator: nn.Module, cache: Path, sizes: Sizes) -> MetricPlan:
    test = GeneratorUnderTest(recipe, generator.eval(), partial(data_of, recipe.data), sizes, cache)
    return plan_metrics(test, live=True)


@pytest.mark.sampled(quick=2)
@pytest.mark.parametrize(("family", "dataset"), CASES)
def test_figures_of_a_training_are_those_of_a_full_evaluation_of_equal_size(
    family: str, dataset: str, cache: Path
) -> None:
    recipe = recipe_of(family, dataset)
    generator = build_generator(recipe)
    whole = judged(recipe, generator, cache).figures
    plan = live(recipe, generator, cache, Sizes(generated=64))
    figures = plan.measure(plan.names)
    shared = figures.keys() & whole.keys()
    assert shared
    assert {name: figures[name] for name in shared} == {name: whole[name] for name in shared}
    assert figures.keys() - shared <= {"pixel_variety"} or recipe.game.kind == "unpaired"


def test_what_is_real_is_looked_at_once_and_what_is_made_each_time(cache: Path) -> None:
    recipe = recipe_of("dcgan", "digits")
    test = GeneratorUnderTest(
        recipe, build_generator(recipe).eval(), partial(data_of, recipe.data), Sizes(generated=64, real=200), cache
    )
    (first,), (second,) = (comparisons(test)["sampled"] for _ in range(2))
    assert first.real.features is second.real.features
    assert first.real.features.shape == (200, 128)
    assert torch.equal(first.generated.rows, second.generated.rows)
    assert first.generated is not second.generated


class Oracle(nn.Module):
    """Draws real digits of the class that is asked for: `many` different ones of each, counted by the latents."""

    def __init__(self, data: Data, many: int) -> None:
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))
        self.data, self.many = data, many

    def forward(self, z: Tensor, label: Tensor) -> Tensor:
        assert self.data.images is not None
        assert self.data.labels is not None
        picks = (z[:, 0].abs() * 1e6).long() % self.many
        members = [torch.nonzero(self.data.labels == number)[:, 0] for number in range(10)]
        rows = torch.stack([members[int(number)][pick] for number, pick in zip(label, picks, strict=True)])
        return self.data.images[rows].float() / 127.5 - 1


@pytest.mark.slow
def test_a_perfect_forger_and_one_with_a_single_picture_a_class(cache: Path) -> None:
    recipe = recipe_of("cdcgan", "digits")
    data = data_of(recipe.data, "train")
    perfect, prototypes = (judged(recipe, Oracle(data, many), cache, n=500) for many in (150, 1))
    assert perfect.figures["agreement"] == perfect.figures["gan_test"] > 0.9
    assert perfect.per_class["agreement"].keys() == {str(number) for number in range(10)}
    assert min(perfect.per_class["agreement"].values()) > 0.7
    assert perfect.figures["spread"] == pytest.approx(1, abs=0.1)
    assert perfect.figures["intra_diversity"] == pytest.approx(1, abs=0.1)
    assert perfect.figures["recall"] > 0.9
    assert perfect.figures["copies"] == 1, "what it draws are training examples"
    assert perfect.figures["gan_train"] > 0.8
    assert prototypes.figures["spread"] == 0
    assert prototypes.figures["intra_diversity"] == pytest.approx(0, abs=1e-4)
    assert prototypes.figures["variety"] == pytest.approx(0, abs=1e-4)
    assert prototypes.figures["recall"] < 0.1
    assert prototypes.figures["coverage"] < 0.3
    assert prototypes.figures["frechet"] > 5 * perfect.figures["frechet"]
    assert prototypes.figures["gan_train"] < perfect.figures["gan_train"]


def test_figures_follow_from_the_seed(cache: Path) -> None:
    recipe = recipe_of("gan", "ring8")
    generator = build_generator(recipe)
    first, again, other = (judged(recipe, generator, cache, n=200, seed=seed) for seed in (1, 1, 2))
    assert first.figures == again.figures
    assert first.figures["transport"] != other.figures["transport"]
    assert first.provenance | {"seed": 2} == other.provenance


def test_only_what_is_wanted_is_measured(cache: Path) -> None:
    recipe = recipe_of("cdcgan", "digits")
    found = judged(recipe, build_generator(recipe), cache, only=["frechet", "recall", "psnr"])
    assert set(found.figures) == {"frechet", "recall"}
    assert found.per_class == {}
    with pytest.raises(CannotMeasure, match="None of these figures fits this model; choose from frechet, kid"):
        judged(recipe, build_generator(recipe), cache, only=["psnr"])


class Identity(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        return x


@pytest.mark.slow
def test_who_translates_nothing_is_the_first_baseline(cache: Path) -> None:
    recipe = recipe_of("cyclegan", "day2night")
    found = judged(
        recipe, nn.ModuleDict({"a2b": Identity(), "b2a": Identity()}), cache, only=["psnr", "psnr_a2b", "ssim"]
    )
    assert found.figures == found.baselines["untouched"]
    assert found.figures["psnr"] < found.baselines["statistics_transfer"]["psnr"]
    assert set(found.baselines) == {"untouched", "mean_picture", "statistics_transfer"}
    whole = judged(recipe, nn.ModuleDict({"a2b": Identity(), "b2a": Identity()}), cache)
    assert whole.figures["psnr"] == pytest.approx((whole.figures["psnr_a2b"] + whole.figures["psnr_b2a"]) / 2)


@pytest.mark.slow
def test_two_piles_without_counterparts_are_compared_as_piles(cache: Path) -> None:
    """Where a dataset has no test split the pictures are not known to be pairs."""
    recipe = recipe_of("cyclegan", "day2night")

    def read(split: Split) -> Data:
        if split == "test":
            raise DatasetMissing("There is none.")
        return data_of(recipe.data, "train")

    found = judged(recipe, build_generator(recipe), cache, read=read)
    assert set(found.figures) == {name for name in BOTH_WAYS if name.startswith(("frechet", "kid"))}
    assert found.baselines == {}
    assert found.provenance["split"] == "train"


@pytest.mark.sampled(quick=1)
@pytest.mark.parametrize(("family", "dataset"), [("inpaint", "digits"), ("vae", "digits"), ("cyclegan", "day2night")])
def test_no_whole_pile_of_pictures_is_made_of_floats(
    family: str, dataset: str, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They take four times their bytes, and of large pictures there was no room for that."""
    recipe = recipe_of(family, dataset)
    wanted = {"psnr", "ssim"}
    judged(recipe, build_generator(recipe), cache, only=wanted)  # data are read from here on
    judge = trained_judge(data_of(recipe.data, "train"), cache, 60)
    monkeypatch.setattr(generator_under_test, "trained_judge", lambda *_: judge)
    monkeypatch.setattr(chunked, "CHUNK_EXAMPLES", 16)
    beats: list[None] = []
    with made_meanwhile() as tensors:
        found = judged(recipe, build_generator(recipe), cache, only=wanted, heartbeat=lambda: beats.append(None))
    assert set(found.figures) == wanted
    spec = recipe.data
    assert isinstance(spec, Images | Unpaired)
    whole = (spec.channels, spec.side, spec.side)
    floats = [shape[0] for dtype, shape in tensors if dtype == torch.float32 and shape[1:] == whole]
    assert max(floats) == 16
    assert len(beats) >= 2 * 64 / 16, "and somebody hears of every part"


class Stack(nn.Module):
    """Three real digits on one another, always with a seven in front."""

    def __init__(self, data: Data) -> None:
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))
        assert data.images is not None
        assert data.labels is not None
        self.sevens, self.all = data.images[data.labels == 7], data.images

    def forward(self, z: Tensor, label: Tensor | None) -> Tensor:
        picks = (z[:, :3].abs() * 1e6).long()
        layers = [self.sevens[picks[:, 0] % len(self.sevens)]]
        layers += [self.all[picks[:, place] % len(self.all)] for place in (1, 2)]
        return torch.cat(layers, dim=1).float() / 127.5 - 1


@pytest.mark.slow
def test_stacked_digits_are_read_one_by_one(cache: Path) -> None:
    recipe = resolve(
        "dcgan",
        dataset="stacked_mnist",
        seed=1,
        budget={"steps": 10},
        overrides=SMALL | {"game": {"conditional": False}},
    )[1]
    digits = load(Images(dataset="digits", side=16, channels=1, classes=10), None)
    assert digits.images is not None
    assert digits.labels is not None
    rows = torch.randint(len(digits.images), (1500, 3), generator=torch.Generator().manual_seed(1))
    labels = digits.labels[rows] @ torch.tensor([100, 10, 1])
    stacked = Data(images=digits.images[rows][:, :, 0], labels=labels)
    found = judged(recipe, Stack(digits), cache, n=600, read=lambda split: stacked, only=["modes", "kl", "frechet"])
    assert 80 < found.figures["modes"] < 150, "about a hundred begin with a seven"
    assert math.log(10) < found.figures["kl"] < math.log(10) + 0.5


@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")
def test_inception_compares_where_it_is_asked_for(cache: Path, tmp_path: Path) -> None:
    torch.jit.script(Means()).save(tmp_path / "inception.pt")  # type: ignore[no-untyped-call]
    recipe = recipe_of("dcgan", "digits")
    found = judged(recipe, build_generator(recipe), cache, features="inception", weights=tmp_path)
    assert set(found.figures) == CASES["dcgan", "digits"] | {"inception_score"}
    assert found.provenance["features"].startswith("inception:")
    assert " own:" in found.provenance["features"]
    assert found.provenance["resize"] == "by the network itself"


class Means(nn.Module):
    def forward(self, x: Tensor, return_features: bool = False) -> Tensor:
        rows = x.float().mean(dim=[1, 2])
        return rows if return_features else rows.softmax(dim=1)


class Broken(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))

    def forward(self, z: Tensor, label: Tensor | None) -> Tensor:
        return torch.full((len(z), 2), torch.nan)


def test_what_cannot_be_measured_says_why(cache: Path) -> None:
    recipe = recipe_of("gan", "ring8")
    with pytest.raises(CannotMeasure, match="output is not finite"):
        judged(recipe, Broken(), cache)
    with pytest.raises(CannotMeasure, match=r"at least 16 examples .* there are 8; request a larger n"):
        judged(recipe, build_generator(recipe), cache, n=8, only=["divergence", "transport"])


def some_of(recipe: Recipe, count: int, equal: bool = False) -> Callable[[Split], Data]:
    """So many pictures of its dataset, perhaps the same one again and again."""

    def read(split: Split) -> Data:
        if split == "test":
            raise DatasetMissing("There is none.")
        whole = data_of(recipe.data, "train")
        rows = torch.zeros(count, dtype=torch.int64) if equal else torch.arange(count)
        piles = {name: getattr(whole, name) for name in ("images", "labels", "a", "b")}
        return Data(**{name: None if pile is None else pile[rows] for name, pile in piles.items()})

    return read


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize(("family", "dataset"), [case for case in CASES if case[1] in ("digits", "day2night")])
def test_few_pictures_are_measured_by_what_can_be(family: str, dataset: str, count: int, cache: Path) -> None:
    recipe = recipe_of(family, dataset)
    read = some_of(recipe, count)
    if family == "cyclegan":
        with pytest.raises(CannotMeasure, match=rf"there are {count}; the dataset has no more"):
            judged(recipe, build_generator(recipe), cache, n=100, read=read)
        return
    found = judged(recipe, build_generator(recipe), cache, n=100, read=read)
    assert set(found.figures)
    assert set(found.figures) <= {name for metric in METRICS if metric.single for name in metric.names}
    assert found.figures.keys() | found.lacking.keys() == CASES[family, dataset] - {"spread", "intra_diversity"}
    assert f"there are {count}" in found.lacking["frechet"]


@pytest.mark.parametrize(("family", "dataset"), [("dcgan", "digits"), ("cdcgan", "digits"), ("vae", "digits")])
def test_equal_pictures_have_no_diversity(family: str, dataset: str, cache: Path) -> None:
    recipe = recipe_of(family, dataset)
    found = judged(recipe, build_generator(recipe), cache, n=64, read=some_of(recipe, 40, equal=True))
    for name in ("diversity", "variety", "copies"):
        assert math.isnan(found.figures[name])
        assert "equal" in found.lacking[name]
