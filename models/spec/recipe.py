"""The recipe: everything that decides what is trained, as one frozen value.

It is the request body, the stored column, the runner's input and the header of the weights file.
"""

from collections.abc import Callable
from typing import Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from models.spec.base import Spec
from models.spec.data import DataSpec, Images, Paired, Points, Unpaired
from models.spec.games import GameSpec, Synthesis
from models.spec.nets import CriticSpec, DcganCritic, DcganGenerator, GeneratorSpec, PatchCritic, ResnetGenerator
from models.spec.objectives import ObjectiveSpec
from models.spec.penalties import PenaltySpec
from models.spec.training import Budget, Ema, Latent, OptimizerSpec, ScheduleSpec, Turns


class Recipe(Spec):
    """A whole recipe. Build one by hand, or from a family with models.spec.resolve."""

    version: Literal[1] = 1
    seed: int = Field(ge=0, lt=2**63)
    data: DataSpec
    game: GameSpec
    latent: Latent
    generator: GeneratorSpec
    critic: CriticSpec
    objective: ObjectiveSpec
    penalties: tuple[PenaltySpec, ...] = Field(max_length=8)
    generator_optimizer: OptimizerSpec
    critic_optimizer: OptimizerSpec
    critic_clip: float | None = Field(gt=0, le=100)
    """weight clipping: after each of its moves the critic's weights are cut to [-clip, clip]"""
    schedule: ScheduleSpec
    turns: Turns
    ema: Ema
    batch_size: int = Field(ge=1, le=8192)
    precision: Literal["auto", "fp32", "bf16"]
    """auto: bf16 where the device computes in it, else fp32; decided at the first attempt and kept"""
    budget: Budget
    checkpoint_every: int = Field(ge=1)
    """steps between checkpoints; default a twentieth of the budget"""
    report_every: int = Field(ge=1)
    """steps between reports (losses and the fixed-noise samples); default a fortieth of the budget"""

    @property
    def labelled(self) -> bool:
        """Whether a class can be asked for."""
        return isinstance(self.game, Synthesis) and self.game.conditional

    @property
    def classes(self) -> int:
        """Number of classes that can be asked for; 0 when none can."""
        return self.data.classes if self.labelled and isinstance(self.data, Images) else 0

    @model_validator(mode="after")
    def _coherent(self) -> "Recipe":
        for rule in RULES:
            if refusal := rule(self):
                pointer, message = refusal
                raise PydanticCustomError("incoherent", message, {"pointer": pointer})
        return self


Rule = Callable[[Recipe], tuple[str, str] | None]
"""A rule answers (JSON pointer, sentence that says what to change), or None when it is content."""


def _game_fits_data(recipe: Recipe) -> tuple[str, str] | None:
    if (recipe.game.kind == "unpaired") != isinstance(recipe.data, Unpaired | Paired):
        return "/game", (
            f"The game '{recipe.game.kind}' cannot be played on '{recipe.data.dataset}' ({recipe.data.kind}); "
            "choose the game synthesis for images and points, unpaired for two piles of pictures."
        )
    return None


def _networks_fit_game(recipe: Recipe) -> tuple[str, str] | None:
    translating = recipe.game.kind == "unpaired"
    if translating != isinstance(recipe.generator, ResnetGenerator):
        wanted = "resnet" if translating else "mlp or dcgan"
        return (
            "/generator",
            f"The game '{recipe.game.kind}' needs a generator of kind {wanted}, not {recipe.generator.kind}.",
        )
    if translating != isinstance(recipe.critic, PatchCritic):
        wanted = "patch" if translating else "mlp or dcgan"
        return "/critic", f"The game '{recipe.game.kind}' needs a critic of kind {wanted}, not {recipe.critic.kind}."
    return None


def _networks_fit_data(recipe: Recipe) -> tuple[str, str] | None:
    if isinstance(recipe.data, Points):
        for name, net in (("generator", recipe.generator), ("critic", recipe.critic)):
            if net.kind != "mlp":
                return f"/{name}", f"Points need a {name} of kind mlp, not {net.kind}: convolutions need pictures."
    if isinstance(recipe.data, Unpaired | Paired) and recipe.data.side % 4:
        return "/data/side", f"The resnet generator needs a side divisible by 4; {recipe.data.side} is not."
    return None


def _patches_fit_side(recipe: Recipe) -> tuple[str, str] | None:
    if not isinstance(recipe.critic, PatchCritic) or not isinstance(recipe.data, Unpaired | Paired):
        return None
    # After `layers` halvings two 4x4 convolutions of stride 1 each take one pixel off.
    side, layers = recipe.data.side, recipe.critic.layers
    if side // 2**layers < 3:
        return (
            "/critic/layers",
            f"{layers} layers leave no patch of a {side} px picture: take fewer layers or a larger side.",
        )
    return None


def _conditional_has_labels(recipe: Recipe) -> tuple[str, str] | None:
    if not recipe.labelled:
        return None
    if not isinstance(recipe.data, Images) or recipe.data.classes < 2:
        return "/game/conditional", (
            f"'{recipe.data.dataset}' has no class labels; choose a labelled dataset or set game.conditional to false."
        )
    if not isinstance(recipe.generator, DcganGenerator) or recipe.generator.norm != "batch":
        return (
            "/generator",
            "A class is fed through BatchNorm: a conditional game needs a dcgan generator with norm batch.",
        )
    if not isinstance(recipe.critic, DcganCritic):
        return "/critic", "A class is judged by projection: a conditional game needs a dcgan critic."
    return None


def _auxiliary_has_classes(recipe: Recipe) -> tuple[str, str] | None:
    if not recipe.labelled and any(penalty.kind == "auxiliary" for penalty in recipe.penalties):
        return "/penalties", "The auxiliary penalty names classes: set game.conditional to true or remove it."
    return None


def _wasserstein_is_lipschitz(recipe: Recipe) -> tuple[str, str] | None:
    if recipe.objective.kind != "wasserstein":
        return None
    if recipe.critic_clip is None and not any(penalty.kind == "gradient_penalty" for penalty in recipe.penalties):
        return "/objective", (
            "The Wasserstein objective grows without bound unless the critic is Lipschitz: "
            "add a gradient_penalty or set critic_clip."
        )
    return None


def _slopes_without_batch_norm(recipe: Recipe) -> tuple[str, str] | None:
    sloped = any(penalty.kind in ("gradient_penalty", "r1") for penalty in recipe.penalties)
    if sloped and isinstance(recipe.critic, DcganCritic) and recipe.critic.norm == "batch":
        return "/critic/norm", (
            "A gradient penalty holds the slope at each picture alone, and BatchNorm mixes the batch: "
            "set critic.norm to none."
        )
    return None


def _simultaneous_is_one_to_one(recipe: Recipe) -> tuple[str, str] | None:
    if recipe.turns.order == "simultaneous" and recipe.turns.critic_steps != 1:
        return "/turns/critic_steps", "Players that move simultaneously move equally often: set critic_steps to 1."
    return None


def _each_penalty_once(recipe: Recipe) -> tuple[str, str] | None:
    kinds = [penalty.kind for penalty in recipe.penalties]
    for kind in kinds:
        if kinds.count(kind) > 1:
            return "/penalties", f"The penalty {kind} is listed twice; list it once and choose its weight."
    return None


RULES: tuple[Rule, ...] = (
    _game_fits_data,
    _networks_fit_game,
    _networks_fit_data,
    _patches_fit_side,
    _conditional_has_labels,
    _auxiliary_has_classes,
    _wasserstein_is_lipschitz,
    _slopes_without_batch_norm,
    _simultaneous_is_one_to_one,
    _each_penalty_once,
)
