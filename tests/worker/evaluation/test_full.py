"""The full evaluation: its figures and their provenance, for good, collapsed and broken generators."""

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
from tests.support.generators import IdentityGenerator, NonFiniteGenerator, RealDigits, StackedRealDigits
from tests.support.tensors import record_tensors
from worker.evaluation import chunked, generator_under_test
from worker.evaluation.comparison import comparisons
from worker.evaluation.full import FullEvaluation, evaluate
from worker.evaluation.generator_under_test import CannotMeasure, GeneratorUnderTest, Sizes
from worker.evaluation.judge import trained_judge
from worker.evaluation.metric_plan import METRICS, MetricPlan, plan_metrics

COMPARISON_FIGURES = {"frechet", "kid", "precision", "recall", "density", "coverage", "diversity", "variety", "copies"}
CLASS_FIGURES = {"agreement", "gan_test", "gan_train", "spread", "intra_diversity"}
POINT_FIGURES = {"divergence", "sliced_wasserstein", "sinkhorn", "transport"}
TRANSLATION_FIGURES = {
    f"{figure}{way}" for figure in ("frechet", "kid", "psnr", "ssim") for way in ("", "_a2b", "_b2a")
}
SMALL = {"data": {"side": 16}}
CASES: dict[tuple[str, str], set[str]] = {
    ("cdcgan", "digits"): COMPARISON_FIGURES | CLASS_FIGURES | {"classifier_score"},
    ("dcgan", "digits"): COMPARISON_FIGURES | {"classifier_score", "modes", "kl"},
    ("vae", "digits"): COMPARISON_FIGURES | {"classifier_score", "modes", "kl", "psnr", "ssim"},
    ("gan", "ring8"): POINT_FIGURES | {"modes", "high_quality", "reverse_kl"},
    ("gan", "gaussian1d"): POINT_FIGURES,
    ("gumbel_gan", "dyck"): {"valid", "distinct"},
    ("cyclegan", "day2night"): TRANSLATION_FIGURES,
    ("pix2pix", "day2night"): {"frechet", "kid", "psnr", "ssim"},
    ("srgan", "digits"): {"frechet", "kid", "psnr", "ssim"},
    ("inpaint", "digits"): {"frechet", "kid", "psnr", "ssim"},
}  # fmt: skip


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder of judges for all tests of this file."""
    return tmp_path_factory.mktemp("judges")


@pytest.fixture(autouse=True)
def quick_judges(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generator_under_test, "QUICK_STEPS", 60)
    monkeypatch.setattr(generator_under_test, "FULL_STEPS", 60)


def recipe_of(family: str, dataset: str) -> Recipe:
    overrides = SMALL if dataset == "day2night" else None
    return resolve(family, dataset=dataset, seed=1, budget={"steps": 100}, overrides=overrides)[1]


@lru_cache(maxsize=8)
def data_of(spec: DataSpec, split: Split) -> Data:
    return load(spec, None, split)


def evaluated(
    recipe: Recipe,
    generator: nn.Module,
    cache: Path,
    n: int = 64,
    read: Callable[[Split], Data] | None = None,
    **options: Any,
) -> FullEvaluation:
    return evaluate(recipe, generator.eval(), 7, read or partial(data_of, recipe.data), n=n, cache=cache, **options)


@pytest.mark.sampled(quick=2)
@pytest.mark.parametrize(("family", "dataset"), CASES)
def test_full_evaluation_has_the_figures_of_each_kind_of_data_and_game(family: str, dataset: str, cache: Path) -> None:
    recipe = recipe_of(family, dataset)
    beats: list[None] = []
    evaluation = evaluated(recipe, build_generator(recipe), cache, heartbeat=lambda: beats.append(None))
    assert set(evaluation.figures) == CASES[family, dataset]
    assert all(math.isfinite(value) for value in evaluation.figures.values())
    assert {name.removesuffix("_a2b").removesuffix("_b2a") for name in evaluation.figures} <= set(FIGURES)
    assert len(beats) > len(evaluation.figures) / 2
    assert evaluation.provenance["step"] == 7
    assert evaluation.provenance["split"] == ("train" if dataset == "digits" else "test")
    assert json.loads(json.dumps(evaluation.as_dict()))["figures"] == evaluation.figures
    assert (evaluation.picture is None) == (dataset == "gaussian1d")


def live_plan(recipe: Recipe, generator: nn.Module, cache: Path, sizes: Sizes) -> MetricPlan:
    test = GeneratorUnderTest(recipe, generator.eval(), partial(data_of, recipe.data), sizes, cache)
    return plan_metrics(test, live=True)


@pytest.mark.sampled(quick=2)
@pytest.mark.parametrize(("family", "dataset"), CASES)
def test_live_figures_equal_those_of_a_full_evaluation_of_equal_size(family: str, dataset: str, cache: Path) -> None:
    recipe = recipe_of(family, dataset)
    generator = build_generator(recipe)
    whole = evaluated(recipe, generator, cache).figures
    plan = live_plan(recipe, generator, cache, Sizes(generated=64))
    figures = plan.measure(plan.names)
    shared = figures.keys() & whole.keys()
    assert shared
    assert {name: figures[name] for name in shared} == {name: whole[name] for name in shared}
    assert figures.keys() - shared <= {"pixel_variety"} or recipe.game.kind == "unpaired"


def test_features_of_real_examples_are_cached_and_those_of_fakes_are_not(cache: Path) -> None:
    recipe = recipe_of("dcgan", "digits")
    test = GeneratorUnderTest(
        recipe, build_generator(recipe).eval(), partial(data_of, recipe.data), Sizes(generated=64, real=200), cache
    )
    (first,), (second,) = (comparisons(test)["sampled"] for _ in range(2))
    assert first.real.features is second.real.features
    assert first.real.features.shape == (200, 128)
    assert torch.equal(first.generated.rows, second.generated.rows)
    assert first.generated is not second.generated


@pytest.mark.slow
def test_figures_of_real_pictures_and_of_one_picture_per_class(cache: Path) -> None:
    recipe = recipe_of("cdcgan", "digits")
    data = data_of(recipe.data, "train")
    perfect, prototypes = (evaluated(recipe, RealDigits(data, per_class), cache, n=500) for per_class in (150, 1))
    assert perfect.figures["agreement"] == perfect.figures["gan_test"] > 0.9
    assert perfect.per_class["agreement"].keys() == {str(number) for number in range(10)}
    assert min(perfect.per_class["agreement"].values()) > 0.7
    assert perfect.figures["spread"] == pytest.approx(1, abs=0.1)
    assert perfect.figures["intra_diversity"] == pytest.approx(1, abs=0.1)
    assert perfect.figures["recall"] > 0.9
    assert perfect.figures["copies"] == 1, "it draws training examples"
    assert perfect.figures["gan_train"] > 0.8
    assert prototypes.figures["spread"] == 0
    assert prototypes.figures["intra_diversity"] == pytest.approx(0, abs=1e-4)
    assert prototypes.figures["variety"] == pytest.approx(0, abs=1e-4)
    assert prototypes.figures["recall"] < 0.1
    assert prototypes.figures["coverage"] < 0.3
    assert prototypes.figures["frechet"] > 5 * perfect.figures["frechet"]
    assert prototypes.figures["gan_train"] < perfect.figures["gan_train"]


def test_figures_follow_from_the_seed_of_the_evaluation(cache: Path) -> None:
    recipe = recipe_of("gan", "ring8")
    generator = build_generator(recipe)
    first, again, other = (evaluated(recipe, generator, cache, n=200, seed=seed) for seed in (1, 1, 2))
    assert first.figures == again.figures
    assert first.figures["transport"] != other.figures["transport"]
    assert first.provenance | {"seed": 2} == other.provenance


def test_only_requested_figures_are_measured(cache: Path) -> None:
    recipe = recipe_of("cdcgan", "digits")
    evaluation = evaluated(recipe, build_generator(recipe), cache, only=["frechet", "recall", "psnr"])
    assert set(evaluation.figures) == {"frechet", "recall"}
    assert evaluation.per_class == {}
    with pytest.raises(CannotMeasure, match="None of these figures fits this model; choose from frechet, kid"):
        evaluated(recipe, build_generator(recipe), cache, only=["psnr"])


@pytest.mark.slow
def test_identity_translator_equals_the_untouched_baseline(cache: Path) -> None:
    recipe = recipe_of("cyclegan", "day2night")
    evaluation = evaluated(
        recipe,
        nn.ModuleDict({"a2b": IdentityGenerator(), "b2a": IdentityGenerator()}),
        cache,
        only=["psnr", "psnr_a2b", "ssim"],
    )
    assert evaluation.figures == evaluation.baselines["untouched"]
    assert evaluation.figures["psnr"] < evaluation.baselines["statistics_transfer"]["psnr"]
    assert set(evaluation.baselines) == {"untouched", "mean_picture", "statistics_transfer"}
    whole = evaluated(recipe, nn.ModuleDict({"a2b": IdentityGenerator(), "b2a": IdentityGenerator()}), cache)
    assert whole.figures["psnr"] == pytest.approx((whole.figures["psnr_a2b"] + whole.figures["psnr_b2a"]) / 2)


@pytest.mark.slow
def test_unpaired_translations_without_a_test_split_get_no_figures_of_pairs(cache: Path) -> None:
    """Without a test split, the pictures of the two piles are not known to be pairs."""
    recipe = recipe_of("cyclegan", "day2night")

    def read(split: Split) -> Data:
        if split == "test":
            raise DatasetMissing("There is none.")
        return data_of(recipe.data, "train")

    evaluation = evaluated(recipe, build_generator(recipe), cache, read=read)
    assert set(evaluation.figures) == {name for name in TRANSLATION_FIGURES if name.startswith(("frechet", "kid"))}
    assert evaluation.baselines == {}
    assert evaluation.provenance["split"] == "train"


@pytest.mark.sampled(quick=1)
@pytest.mark.parametrize(("family", "dataset"), [("inpaint", "digits"), ("vae", "digits"), ("cyclegan", "day2night")])
def test_pictures_are_converted_to_floats_in_chunks_only(
    family: str, dataset: str, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Floats take four times the bytes; all pictures at once would not fit into memory."""
    recipe = recipe_of(family, dataset)
    requested = {"psnr", "ssim"}
    evaluated(recipe, build_generator(recipe), cache, only=requested)  # reads the data, which are cached from here on
    judge = trained_judge(data_of(recipe.data, "train"), cache, 60)
    monkeypatch.setattr(generator_under_test, "trained_judge", lambda *_: judge)
    monkeypatch.setattr(chunked, "CHUNK_EXAMPLES", 16)
    beats: list[None] = []
    with record_tensors() as tensors:
        evaluation = evaluated(
            recipe, build_generator(recipe), cache, only=requested, heartbeat=lambda: beats.append(None)
        )
    assert set(evaluation.figures) == requested
    spec = recipe.data
    assert isinstance(spec, Images | Unpaired)
    picture_shape = (spec.channels, spec.side, spec.side)
    float_rows = [shape[0] for dtype, shape in tensors if dtype == torch.float32 and shape[1:] == picture_shape]
    assert max(float_rows) == 16
    assert len(beats) >= 2 * 64 / 16, "a heartbeat for every chunk"


@pytest.mark.slow
def test_stacked_digits_are_classified_channel_by_channel(cache: Path) -> None:
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
    evaluation = evaluated(
        recipe, StackedRealDigits(digits), cache, n=600, read=lambda split: stacked, only=["modes", "kl", "frechet"]
    )
    assert 80 < evaluation.figures["modes"] < 150, "about 100 of the 1000 classes begin with a seven"
    assert math.log(10) < evaluation.figures["kl"] < math.log(10) + 0.5


@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")
def test_inception_features_are_used_on_request(cache: Path, tmp_path: Path) -> None:
    torch.jit.script(MeansByColumn()).save(tmp_path / "inception.pt")  # type: ignore[no-untyped-call]
    recipe = recipe_of("dcgan", "digits")
    evaluation = evaluated(recipe, build_generator(recipe), cache, features="inception", weights=tmp_path)
    assert set(evaluation.figures) == CASES["dcgan", "digits"] | {"inception_score"}
    assert evaluation.provenance["features"].startswith("inception:")
    assert " own:" in evaluation.provenance["features"]
    assert evaluation.provenance["resize"] == "by the network itself"


class MeansByColumn(nn.Module):
    def forward(self, x: Tensor, return_features: bool = False) -> Tensor:
        rows = x.float().mean(dim=[1, 2])
        return rows if return_features else rows.softmax(dim=1)


def test_evaluation_that_cannot_measure_says_why(cache: Path) -> None:
    recipe = recipe_of("gan", "ring8")
    with pytest.raises(CannotMeasure, match="output is not finite"):
        evaluated(recipe, NonFiniteGenerator(), cache)
    with pytest.raises(CannotMeasure, match=r"at least 16 examples .* there are 8; request a larger n"):
        evaluated(recipe, build_generator(recipe), cache, n=8, only=["divergence", "transport"])


def first_pictures(recipe: Recipe, count: int, equal: bool = False) -> Callable[[Split], Data]:
    """Return a reader of the first pictures of the dataset, or of the first one repeated."""

    def read(split: Split) -> Data:
        if split == "test":
            raise DatasetMissing("There is none.")
        whole = data_of(recipe.data, "train")
        rows = torch.zeros(count, dtype=torch.int64) if equal else torch.arange(count)
        tensors = {name: getattr(whole, name) for name in ("images", "labels", "a", "b")}
        return Data(**{name: None if tensor is None else tensor[rows] for name, tensor in tensors.items()})

    return read


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize(("family", "dataset"), [case for case in CASES if case[1] in ("digits", "day2night")])
def test_evaluation_of_few_pictures_measures_figures_of_single_examples(
    family: str, dataset: str, count: int, cache: Path
) -> None:
    recipe = recipe_of(family, dataset)
    read = first_pictures(recipe, count)
    if family == "cyclegan":
        with pytest.raises(CannotMeasure, match=rf"there are {count}; the dataset has no more"):
            evaluated(recipe, build_generator(recipe), cache, n=100, read=read)
        return
    evaluation = evaluated(recipe, build_generator(recipe), cache, n=100, read=read)
    assert set(evaluation.figures)
    assert set(evaluation.figures) <= {name for metric in METRICS if metric.single for name in metric.names}
    assert evaluation.figures.keys() | evaluation.lacking.keys() == CASES[family, dataset] - {
        "spread",
        "intra_diversity",
    }
    assert f"there are {count}" in evaluation.lacking["frechet"]


@pytest.mark.parametrize(("family", "dataset"), [("dcgan", "digits"), ("cdcgan", "digits"), ("vae", "digits")])
def test_figures_of_equal_pictures_are_undefined_with_a_reason(family: str, dataset: str, cache: Path) -> None:
    recipe = recipe_of(family, dataset)
    evaluation = evaluated(recipe, build_generator(recipe), cache, n=64, read=first_pictures(recipe, 40, equal=True))
    for name in ("diversity", "variety", "copies"):
        assert math.isnan(evaluation.figures[name])
        assert "equal" in evaluation.lacking[name]


def test_curve_trades_diversity_for_typical_pictures(cache: Path) -> None:
    recipe = recipe_of("dcgan", "digits")
    generator = build_generator(recipe)
    plain = evaluated(recipe, generator, cache, only=["frechet"])
    assert plain.curve is None
    assert "curve" not in plain.as_dict()
    evaluation = evaluated(recipe, generator, cache, only=["frechet"], curve=True)
    assert evaluation.figures == plain.figures
    curve = evaluation.as_dict()["curve"]
    assert curve["n"] == 64
    assert [point["temperature"] for point in curve["temperature"]] == [0.25, 0.5, 0.75, 1.0]
    assert [point["truncation"] for point in curve["truncation"]] == [0.25, 0.5, 1.0, 1.5, 2.0]
    assert curve["temperature"][-1]["frechet"] == pytest.approx(plain.figures["frechet"]), "temperature 1 is no change"
    points = curve["temperature"] + curve["truncation"]
    assert all(0 <= point[name] <= 1 for point in points for name in ("precision", "recall"))
    assert len({point["frechet"] for point in points}) == len(points)


def test_few_examples_have_no_curve_and_the_report_says_why(cache: Path) -> None:
    recipe = recipe_of("dcgan", "digits")
    evaluation = evaluated(recipe, build_generator(recipe), cache, n=8, only=["classifier_score"], curve=True)
    assert evaluation.curve is None
    assert "at least 16" in evaluation.lacking["curve"]
