"""Plot the generators' losses into docs/pictures/costs.png, computed by the objectives themselves.

    python -m bench.costs [--out FILE]

Left: the plot of the lectures (Goodfellow 2016, figure 16), the loss of one fake over D, the critic's probability that
it is real. Right: every objective that scores a single fake, over the critic's score.
"""

import argparse
from pathlib import Path

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from bench.results import CHECKOUT
from models.duel import Scores, Verdict
from models.objectives import build_objective
from models.spec import objectives as spec

OUT = CHECKOUT / "docs" / "pictures" / "costs.png"
LECTURE: dict[str, spec.ObjectiveSpec] = {
    "minimax": spec.Minimax(),
    "non_saturating": spec.NonSaturating(),
    "maximum_likelihood": spec.MaximumLikelihood(),
}
OTHERS: dict[str, spec.ObjectiveSpec] = {
    "least_squares": spec.LeastSquares(),
    "wasserstein, hinge": spec.Wasserstein(),
    "kl": spec.Kl(),
    "reverse_kl": spec.ReverseKl(),
    "relativistic (real at 0)": spec.Relativistic(),
}
COLOURS = ("#1f5fbf", "#c8442e", "#2e8b57", "#8a5bb5", "#c98a1b", "#4a4a4a", "#2aa1b3", "#b03a76")


def cost(objective: spec.ObjectiveSpec, score: Tensor) -> Tensor:
    """Return the generator's loss for each score [n] of a single fake, with a real example of score 0."""
    built = build_objective(objective)
    real = Verdict(torch.zeros(()))
    return torch.stack([built.generator_loss(Scores(real, Verdict(each))) for each in score])


def slope(objective: spec.ObjectiveSpec, score: Tensor) -> Tensor:
    """Return the gradient of the loss with respect to the score, from which the generator learns."""
    score = score.clone().requires_grad_()
    (slopes,) = torch.autograd.grad(cost(objective, score).sum(), score)
    return slopes


def draw(out: Path) -> None:
    figure = Figure(figsize=(11, 4.2), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    likely = torch.linspace(0.001, 0.999, 400)
    for (name, objective), colour in zip(LECTURE.items(), COLOURS, strict=False):
        left.plot(likely, cost(objective, likely.logit()), color=colour, label=name)
    _label(left, "the lectures' three costs", "D(G(z)), the critic's probability of real", "cost", (0, 1), (-20, 5))
    score = torch.linspace(-4, 4, 400)
    for axes, curve, title in ((middle, cost, "every cost"), (right, slope, "and its slope")):
        for (name, objective), colour in zip((LECTURE | OTHERS).items(), COLOURS, strict=True):
            style = "--" if objective.kind == "relativistic" else "-"  # it lies upon non_saturating
            axes.plot(score, curve(objective, score), style, color=colour, label=name)
        _label(
            axes, title, "score of one fake", title.removeprefix("every ").removeprefix("and its "), (-4, 4), (-5, 5)
        )
    left.legend(frameon=False, loc="lower left")
    right.legend(frameon=False, loc="upper left", fontsize="small")
    out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, dpi=110, metadata={"Software": None})


def _label(axes: Axes, title: str, x: str, y: str, across: tuple[float, float], upwards: tuple[float, float]) -> None:
    axes.set(title=title, xlabel=x, ylabel=y, xlim=across, ylim=upwards)
    axes.axhline(0, color="#bbbbbb", linewidth=0.8, zorder=0)
    axes.spines[["top", "right"]].set_visible(False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=OUT, metavar="FILE")
    options = parser.parse_args()
    draw(options.out)
    print(f"Drawn into {options.out}")


if __name__ == "__main__":
    main()
