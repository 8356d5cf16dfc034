"""Settings of evaluations during training, and a title for each figure."""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

from pydantic import Field

from models.spec.base import Spec

Metric = Literal["frechet", "coverage", "agreement", "divergence", "psnr", "valid"]

METRICS: MappingProxyType[tuple[str, str], tuple[Metric, ...]] = MappingProxyType({
    ("synthesis", "images"): ("frechet", "coverage", "agreement"),
    ("synthesis", "points"): ("divergence",),
    ("synthesis", "sequences"): ("valid",),
    ("unpaired", "unpaired"): ("frechet", "coverage"),
    ("unpaired", "paired"): ("frechet", "coverage"),
    ("paired", "paired"): ("psnr",),
    ("paired", "images"): ("psnr",),
    ("reconstruction", "images"): ("psnr",),
    ("reconstruction", "points"): ("divergence",),
})  # fmt: skip
"""by kind of game and of data, the metrics that can choose the best checkpoint; the first is the default"""

EXAMPLES_BETWEEN, EXAMPLES_BETWEEN_TRANSLATION, EXAMPLES_BETWEEN_MLP_GENERATOR, EXAMPLES_BETWEEN_MLPS = (
    3_200,
    800,
    12_800,
    64_000,
)
"""least number of training examples between two evaluations; larger where training is cheap beside an evaluation"""
SAMPLES_SHARE, SAMPLES_SHARE_TRANSLATION = 0.05, 0.1
"""generated examples of an evaluation, as a share of the training examples since the last: under 3% of the time"""
MIN_SAMPLES, MAX_SAMPLES = 64, 256
"""bounds of the default number of generated examples"""


class Watch(Spec):
    """Regular evaluations: the best checkpoint is kept and served, and problems are reported.

    Problems are reported as events under every policy. `stop` also ends the job at a lasting problem and publishes its
    best checkpoint; `roll_back` continues from there at a lower learning rate.
    """

    metric: Metric
    """the figure that decides which checkpoint is best"""
    every: int = Field(ge=1)
    """steps between evaluations, a multiple of checkpoint_every; the last step is always evaluated"""
    samples: int = Field(ge=16, le=10_000)
    """generated examples per evaluation"""
    policy: Literal["warn", "stop", "roll_back"] = "warn"
    roll_backs: int = Field(default=2, ge=1, le=20)
    """most roll backs; after them problems only warn"""
    slower: float = Field(default=0.5, gt=0, le=1)
    """factor of the learning rates at each roll back"""
    patience: int | None = Field(default=None, ge=1, le=10_000)
    """evaluations without improvement after which training ends early; null: never"""


@dataclass(frozen=True)
class FigureInfo:
    """A figure's title, and which direction is better."""

    title: str
    better: Literal["low", "high"]
    source: str = ""
    """citation of the paper that introduced it; empty for textbook figures"""


PROBE = "probe"
"""the figure that is measured only if it is requested by its name: it needs the model's critic or encoder"""
_IMPROVED = "Kynkäänniemi et al. 2019, arXiv:1904.06991"
_RELIABLE = "Naeem et al. 2020, arXiv:2002.09797"
_TRICKS = "Salimans et al. 2016, arXiv:1606.03498"
_ACGAN = "Odena et al. 2017, arXiv:1610.09585"
_HOW_GOOD = "Shmelkov et al. 2018, arXiv:1807.09499"
_VEEGAN = "Srivastava et al. 2017, arXiv:1705.07761"
_PACGAN = "Lin et al. 2018, arXiv:1712.04086"
_THIS_PROJECT = "this project"
FIGURES: MappingProxyType[str, FigureInfo] = MappingProxyType(
    {
        "frechet": FigureInfo("Fréchet distance of features", "low", "Heusel et al. 2017, arXiv:1706.08500"),
        "kid": FigureInfo("kernel distance of features (KID)", "low", "Bińkowski et al. 2018, arXiv:1801.01401"),
        "precision": FigureInfo("precision", "high", _IMPROVED),
        "recall": FigureInfo("recall", "high", _IMPROVED),
        "density": FigureInfo("density", "high", _RELIABLE),
        "coverage": FigureInfo("coverage", "high", _RELIABLE),
        "inception_score": FigureInfo("Inception Score", "high", _TRICKS),
        "classifier_score": FigureInfo("Inception Score by the judge's classes", "high", f"after {_TRICKS}"),
        "agreement": FigureInfo("share of pictures that the judge puts into the requested class", "high", _ACGAN),
        "spread": FigureInfo("within-class spread, divided by that of real pictures", "high", _THIS_PROJECT),
        "gan_train": FigureInfo("accuracy of a classifier that learned from generated pictures", "high", _HOW_GOOD),
        "gan_test": FigureInfo("accuracy of a classifier of real pictures on generated ones", "high", _HOW_GOOD),
        "modes": FigureInfo("modes captured", "high", f"{_VEEGAN}; {_PACGAN}"),
        "high_quality": FigureInfo("share of high quality", "high", _VEEGAN),
        "reverse_kl": FigureInfo("reverse KL divergence of the modes", "low", _PACGAN),
        "divergence": FigureInfo("KL divergence from the true mixture, over cells", "low", _THIS_PROJECT),
        "kl": FigureInfo("KL divergence of the classes from uniform", "low", _VEEGAN),
        "sliced_wasserstein": FigureInfo(
            "sliced Wasserstein distance", "low", "Rabin et al. 2011, doi:10.1007/978-3-642-24785-9_37"
        ),
        "sinkhorn": FigureInfo(
            "Sinkhorn distance", "low", "Cuturi 2013, arXiv:1306.0895; Genevay et al. 2018, arXiv:1706.00292"
        ),
        "transport": FigureInfo("earth mover's distance", "low", "Rubner et al. 2000, doi:10.1023/A:1026543900054"),
        "copies": FigureInfo(
            "share of near copies of training examples", "low", "after Meehan et al. 2020, arXiv:2004.05675"
        ),
        "diversity": FigureInfo(
            "mean distance of two generated examples, divided by that of two real ones", "high", f"after {_ACGAN}"
        ),
        "variety": FigureInfo(
            "distance to the nearest other generated example, divided by that of real ones",
            "high",
            "after Arora and Zhang 2017, arXiv:1706.08224",
        ),
        "pixel_variety": FigureInfo(
            "distance in pixels to the nearest other generated example, divided by that of real ones",
            "high",
            "after Arora and Zhang 2017, arXiv:1706.08224",
        ),
        "intra_diversity": FigureInfo(
            "mean distance of two generated examples of a class, divided by that of two real ones",
            "high",
            f"after {_ACGAN}",
        ),
        "psnr": FigureInfo("peak signal-to-noise ratio, dB", "high"),
        "ssim": FigureInfo("structural similarity", "high", "Wang et al. 2004, doi:10.1109/TIP.2003.819861"),
        PROBE: FigureInfo(
            "accuracy of a linear classifier on the model's features",
            "high",
            "Radford et al. 2016, arXiv:1511.06434; Alain and Bengio 2017, arXiv:1610.01644",
        ),
        "valid": FigureInfo("share of valid strings", "high"),
        "distinct": FigureInfo("share of different strings", "high", "after Li et al. 2016, arXiv:1510.03055"),
    }
)


def default_watch(
    game: str,
    data: str,
    generator: str,
    critic: str,
    *,
    batch_size: int,
    checkpoint_every: int,
) -> dict[str, Any] | None:
    """Return the default fields of a recipe's watch; None for a game that cannot be played on the data.

    The first four arguments are kinds of the recipe's parts, "none" without a critic. A budget shorter than `every` is
    evaluated once, at its end.
    """
    metrics, between = METRICS.get((game, data)), _examples_between(game, generator, critic)
    if metrics is None:
        return None
    every = -(-between // (batch_size * checkpoint_every)) * checkpoint_every
    share = SAMPLES_SHARE_TRANSLATION if between == EXAMPLES_BETWEEN_TRANSLATION else SAMPLES_SHARE
    samples = min(MAX_SAMPLES, max(MIN_SAMPLES, int(share * every * batch_size)))
    return {"metric": metrics[0], "every": every, "samples": samples}


def _examples_between(game: str, generator: str, critic: str) -> int:
    if game in ("unpaired", "paired"):
        return EXAMPLES_BETWEEN_TRANSLATION
    if game != "synthesis" or not generator.startswith("mlp"):
        return EXAMPLES_BETWEEN
    return EXAMPLES_BETWEEN_MLPS if critic == "mlp" else EXAMPLES_BETWEEN_MLP_GENERATOR
