"""Rules: which parts of a recipe fit together, and what to change if they do not."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from models.spec.data import DataSpec, Images, Paired, Points, Sequences, Unpaired
from models.spec.games import Paired as PairedGame
from models.spec.games import Reconstruction, Synthesis
from models.spec.nets import (
    MlpAutoencoder,
    PatchCritic,
    ResidualGenerator,
    SequenceGenerator,
    StackedCritic,
    StackedGenerator,
    TranslatingGenerator,
)
from models.spec.watch import METRICS

if TYPE_CHECKING:  # the recipe imports its rules
    from models.spec.recipe import Recipe

Violation = tuple[str, str]
"""(JSON pointer, sentence that says what to change)"""
Rule = Callable[["Recipe"], Violation | None]

GENERATORS = {
    "synthesis": (
        "mlp", "dcgan", "residual", "progressive", "stacked",
        "mlp_autoencoder", "dcgan_autoencoder", "sequence",
    ),
    "unpaired": ("resnet",),
    "paired": ("unet", "resnet", "srresnet"),
    "reconstruction": ("mlp_autoencoder", "dcgan_autoencoder"),
}  # fmt: skip
CRITICS = {
    "synthesis": ("mlp", "dcgan", "residual", "progressive", "stacked", "autoencoder", "sequence"),
    "unpaired": ("patch",),
    "paired": ("patch", "dcgan"),
    "reconstruction": (),
}
POINT_NETWORKS = ("mlp", "mlp_autoencoder")
CONDITIONAL_NETWORKS = {
    "generator": ("mlp", "dcgan", "residual", "stacked"),
    "critic": ("mlp", "dcgan", "residual", "stacked"),
}
PACKING_CRITICS = ("mlp", "dcgan", "residual")
FEATURE_CRITICS = ("mlp", "dcgan", "residual", "progressive", "sequence", "patch")
LOGIT_OBJECTIVES = ("minimax", "non_saturating", "maximum_likelihood", "hinge", "reverse_kl")
"""objectives whose scores are logits: 0 means undecided"""
GRADIENT_PENALTIES = ("gradient_penalty", "r1", "r2")


def data_kinds_of(game: str, task: str = "given") -> tuple[str, ...]:
    """Return the kinds of data for a game."""
    match game:
        case "synthesis":
            return ("images", "points", "sequences")
        case "unpaired":
            return ("unpaired", "paired")
        case "paired":
            return ("paired",) if task == "given" else ("images",)
        case _:
            return ("images", "points")


def _game_fits_data(recipe: "Recipe") -> Violation | None:
    game, data = recipe.game, recipe.data
    task = game.task if isinstance(game, PairedGame) else "given"
    if data.kind in (kinds := data_kinds_of(game.kind, task)):
        return None
    if isinstance(game, PairedGame):
        return "/game/task", (
            f"The task '{task}' takes data of kind {_alternatives(kinds)}, "
            f"and '{data.dataset}' is here of kind {data.kind}: "
            f"choose given for pairs; edges, downscaling or masks for images.{_two_domains_hint('paired', data)}"
        )
    return "/game", (
        f"The game '{game.kind}' cannot be played on '{data.dataset}' ({data.kind}); it takes {_alternatives(kinds)}. "
        "Choose the game synthesis for images, points and sequences, unpaired for pictures of two domains."
        f"{_two_domains_hint('unpaired', data) if game.kind == 'unpaired' else ''}"
    )


def _two_domains_hint(layout: str, data: DataSpec) -> str:
    """Return a sentence on how to upload two folders as two domains; empty unless the data are images."""
    if data.kind != "images":
        return ""
    return (
        f" If '{data.dataset}' is an upload whose two folders are two domains, upload it again under another name with "
        f"`--layout {layout}` (layout={layout})."
    )


def _critic_unless_reconstruction(recipe: "Recipe") -> Violation | None:
    parts = {name: getattr(recipe, name) for name in ("critic", "objective", "critic_optimizer")}
    if not isinstance(recipe.game, Reconstruction):
        for name, part in parts.items():
            if part is None:
                return f"/{name}", f"The game '{recipe.game.kind}' has a critic: {name} must not be null."
        return None
    for name, part in (parts | {"critic_clip": recipe.critic_clip}).items():
        if part is not None:
            return f"/{name}", f"The reconstruction game has no critic: set {name} to null."
    if recipe.penalties:
        return "/penalties", "Penalties score duels, and the reconstruction game has none: set penalties to []."
    if recipe.turns.critic_steps > 1 or recipe.turns.unrolled or recipe.turns.prediction:
        return "/turns", "The reconstruction game has one player: leave turns out."
    return None


def _cross_entropy_of_probabilities(recipe: "Recipe") -> Violation | None:
    if not isinstance(recipe.game, Reconstruction) or recipe.game.loss != "cross_entropy":
        return None
    linear = isinstance(recipe.generator, MlpAutoencoder) and not recipe.generator.hidden
    if recipe.data.kind == "images" and not linear:
        return None
    what = "The pictures of a linear generator" if linear else f"Data of kind {recipe.data.kind}"
    return "/game/loss", f"{what} are not bounded like probabilities: set game.loss to squared or absolute."


def _networks_fit_game(recipe: "Recipe") -> Violation | None:
    for name, kinds in (("generator", GENERATORS), ("critic", CRITICS)):
        network, wanted = getattr(recipe, name), kinds[recipe.game.kind]
        if network is not None and network.kind not in wanted:
            sentence = (
                f"The game '{recipe.game.kind}' needs a {name} of kind {_alternatives(wanted)}, not {network.kind}."
            )
            return f"/{name}", sentence
    return None


def _networks_fit_data(recipe: "Recipe") -> Violation | None:
    for name in ("generator", "critic"):
        network = getattr(recipe, name)
        if network is None:
            continue
        if isinstance(recipe.data, Points) and network.kind not in POINT_NETWORKS:
            sentence = f"Points need a {name} of kind {_alternatives(POINT_NETWORKS)}, not {network.kind}"
            return f"/{name}", f"{sentence}: convolutions need pictures."
        if isinstance(recipe.data, Sequences) != (network.kind == "sequence"):
            wanted = "a" if isinstance(recipe.data, Sequences) else "no"
            return f"/{name}", f"Data of kind {recipe.data.kind} need {wanted} {name} of kind sequence."
    return None


def _sides_divide(recipe: "Recipe") -> Violation | None:
    """The generator's side_multiple is that of its input, the small picture if it enlarges."""
    side, generator = getattr(recipe.data, "side", 0), recipe.generator
    multiple = recipe.upscaling * generator.side_multiple if isinstance(generator, TranslatingGenerator) else 1
    if side % multiple:
        return "/data/side", f"This generator needs a side divisible by {multiple}; {side} is not. Change data.side."
    return None


def _crops_fit(recipe: "Recipe") -> Violation | None:
    if isinstance(recipe.data, Unpaired | Paired) and recipe.data.prepared_side < recipe.data.side:
        load, side = recipe.data.load, recipe.data.side
        return (
            "/data/load",
            f"Crops of {side} px cannot be cut from pictures of {load}: raise data.load or leave it out.",
        )
    return None


def _upscaling_by_srresnet(recipe: "Recipe") -> Violation | None:
    if not isinstance(recipe.game, PairedGame):
        return None
    smaller = recipe.game.task == "downscaling"
    if smaller != (recipe.generator.kind == "srresnet"):
        wanted = "srresnet, which enlarges" if smaller else "unet or resnet, which keep the size"
        return "/generator", f"The task '{recipe.game.task}' needs a generator of kind {wanted}."
    if smaller and recipe.game.conditional:
        return "/game/conditional", (
            "The generator's input is smaller than the critic's: set game.conditional to false."
        )
    return None


def _patches_fit_side(recipe: "Recipe") -> Violation | None:
    if not isinstance(recipe.critic, PatchCritic) or not isinstance(recipe.data, Unpaired | Paired | Images):
        return None
    # After `layers` halvings two 4x4 convolutions of stride 1 each remove one pixel.
    side, layers = recipe.data.side, recipe.critic.layers
    if side // 2**layers < 3:
        return (
            "/critic/layers",
            f"{layers} layers leave no patch of a {side} px picture: take fewer layers or a larger side.",
        )
    return None


def _features_fit_side(recipe: "Recipe") -> Violation | None:
    if isinstance(recipe.game, PairedGame) and recipe.game.content and recipe.game.features == "vgg19":
        side = getattr(recipe.data, "side", 0)
        if side < 32:
            return "/data/side", f"vgg19 halves a picture four times: it needs a side of 32 at least, not {side}."
    return None


def _conditional_has_labels(recipe: "Recipe") -> Violation | None:
    if not recipe.class_conditional:
        return None
    if not isinstance(recipe.data, Images) or recipe.data.classes < 2:
        return "/game/conditional", (
            f"'{recipe.data.dataset}' has no class labels; choose a labelled dataset or set game.conditional to false."
        )
    for name, kinds in CONDITIONAL_NETWORKS.items():
        network = getattr(recipe, name)
        if network.kind not in kinds:
            sentence = f"A {name} of kind {network.kind} takes no class"
            return f"/{name}", f"{sentence}: choose {_alternatives(kinds)}, or set game.conditional to false."
    if recipe.generator.kind in ("dcgan", "residual") and getattr(recipe.generator, "norm", "") != "batch":
        return "/generator/norm", "This generator takes the class through BatchNorm: set generator.norm to batch."
    if getattr(recipe.critic, "conditioning", "") == "none" and recipe.penalty("auxiliary") is None:
        return "/critic/conditioning", (
            "The critic of a conditional game must get the class or predict it: "
            "choose another conditioning, or add the penalty auxiliary."
        )
    return None


def _classes_only_if_conditional(recipe: "Recipe") -> Violation | None:
    if recipe.class_conditional:
        return None
    if recipe.penalty("auxiliary"):
        return "/penalties", "The auxiliary penalty needs classes: set game.conditional to true or remove it."
    if recipe.generator.kind == "stacked":
        return "/game/conditional", "The stacked generator needs a class: set game.conditional to true."
    if isinstance(recipe.generator, ResidualGenerator) and recipe.generator.hierarchical:
        return "/game/conditional", "The hierarchical generator needs a class: set game.conditional to true."
    return None


def _wasserstein_is_lipschitz(recipe: "Recipe") -> Violation | None:
    if recipe.objective is None or recipe.objective.kind != "wasserstein":
        return None
    critic = recipe.critic
    # Batch layers and attention are not Lipschitz under the spectral norm.
    plain = getattr(critic, "minibatch", "none") == "none" and not getattr(critic, "attention", False)
    spectral = plain and getattr(critic, "norm", "") == "spectral"
    if recipe.critic_clip is None and not spectral and recipe.penalty("gradient_penalty") is None:
        return "/objective", (
            "The Wasserstein objective grows without bound unless the critic is Lipschitz: "
            "add a gradient_penalty or set critic_clip."
        )
    return None


def _gradient_penalty_without_batch_norm(recipe: "Recipe") -> Violation | None:
    penalised = any(recipe.penalty(kind) for kind in GRADIENT_PENALTIES)
    if penalised and getattr(recipe.critic, "norm", "") == "batch":
        return "/critic/norm", (
            "A gradient penalty bounds the gradient at each picture separately, and BatchNorm mixes the batch: "
            "set critic.norm to none."
        )
    return None


def _began_with_autoencoder_critic(recipe: "Recipe") -> Violation | None:
    is_autoencoder = recipe.critic is not None and recipe.critic.kind == "autoencoder"
    if is_autoencoder == (recipe.objective is not None and recipe.objective.kind == "began"):
        return None
    if is_autoencoder:
        return "/objective", "An autoencoder critic scores by its reconstruction error: set the objective to began."
    return "/critic", "The objective began needs reconstruction errors as scores: choose a critic of kind autoencoder."


def _penalties_fit_game(recipe: "Recipe") -> Violation | None:
    game, generator, critic = recipe.game, recipe.generator, recipe.critic
    for kind in ("auxiliary", "jacobian_clamping", "mode_regulariser"):
        if recipe.penalty(kind) and not isinstance(game, Synthesis):
            return "/penalties", f"The penalty {kind} is for the game synthesis: remove it."
    if recipe.penalty("mode_regulariser") and not generator.kind.endswith("_autoencoder"):
        return "/generator", (
            "The mode regulariser encodes real examples: choose a generator of kind mlp_autoencoder or "
            "dcgan_autoencoder."
        )
    kind = recipe.objective.kind if recipe.objective else ""
    if recipe.penalty("mode_regulariser") and kind in ("began", "d2gan"):
        sentence = f"The mode regulariser raises scores, and under {kind} high scores mean something else"
        return "/penalties", f"{sentence}: remove it, or choose another objective."
    if kind == "d2gan" and (gradient_penalties := [kind for kind in GRADIENT_PENALTIES if recipe.penalty(kind)]):
        sentence = "The two critics of d2gan have separate gradients"
        return "/penalties", f"{sentence}: remove {_alternatives(gradient_penalties)}."
    if recipe.penalty("historical_averaging") and generator.kind == "stacked":
        return "/penalties", "Historical averaging would change the frozen stage: remove it."
    if recipe.penalty("feature_matching") and critic and critic.kind not in FEATURE_CRITICS:
        sentence = f"A critic of kind {critic.kind} returns no features to match"
        return "/penalties", f"{sentence}: choose {_alternatives(FEATURE_CRITICS)}, or remove feature_matching."
    if (clamp := recipe.penalty("jacobian_clamping")) and clamp.kind == "jacobian_clamping":
        if clamp.least >= clamp.most:
            return (
                "/penalties",
                "Jacobian clamping keeps a rate of change between two bounds: `least` must be below `most`.",
            )
        if recipe.data.kind == "sequences":
            return "/penalties", "Strings do not change by small steps: remove the penalty jacobian_clamping."
    return None


def _packs_are_whole(recipe: "Recipe") -> Violation | None:
    if not isinstance(recipe.game, Synthesis) or recipe.game.packing == 1:
        return None
    packing = recipe.game.packing
    if recipe.batch_size % packing:
        return "/batch_size", f"Examples are judged {packing} at a time: make batch_size a multiple of {packing}."
    if recipe.game.conditional:
        return "/game/packing", "A pack would hold several classes: set game.packing to 1 or game.conditional to false."
    if recipe.critic and recipe.critic.kind not in PACKING_CRITICS:
        return (
            "/critic",
            f"Packs are judged by a critic of kind {_alternatives(PACKING_CRITICS)}, not {recipe.critic.kind}.",
        )
    if recipe.penalty("mode_regulariser"):
        return "/penalties", "The mode regulariser shows the critic single examples: set game.packing to 1."
    return None


def _augment_only_images(recipe: "Recipe") -> Violation | None:
    if isinstance(recipe.game, Synthesis) and recipe.game.augment and recipe.data.kind != "images":
        return "/game/augment", "Augmentations are for pictures: set game.augment to null."
    return None


def _one_kind_of_lookahead(recipe: "Recipe") -> Violation | None:
    turns = recipe.turns
    if turns.unrolled and turns.prediction:
        return "/turns", "The generator looks ahead by unrolled updates or by prediction: choose one of them."
    if turns.prediction and turns.order != "critic_first":
        return "/turns/order", "Prediction repeats the critic's last update: set turns.order to critic_first."
    if turns.unrolled and not isinstance(recipe.game, Synthesis):
        return "/turns/unrolled", "Unrolled updates are for the game synthesis: set turns.unrolled to 0."
    if turns.unrolled and getattr(recipe.critic, "norm", "") in ("batch", "spectral"):
        return "/critic/norm", "Unrolled updates must not change the critic's buffers: set norm to none."
    return None


def _latent_holds_noise(recipe: "Recipe") -> Violation | None:
    if isinstance(recipe.generator, SequenceGenerator) and isinstance(recipe.data, Sequences):
        noise = recipe.data.length * recipe.data.symbols
        if recipe.latent.size <= noise:
            return "/latent/size", (
                f"The last {noise} numbers of the latent become the Gumbel noise of {recipe.data.length} symbols: "
                f"make its size more than {noise}."
            )
        if recipe.generator.cold > recipe.generator.hot:
            return "/generator/cold", "The temperature falls: `cold` must not be above `hot`."
    if isinstance(recipe.generator, StackedGenerator) and recipe.latent.size <= recipe.generator.condition:
        return "/latent/size", (
            f"The last {recipe.generator.condition} numbers of the latent are the noise of the class's vector: "
            f"make latent.size larger than {recipe.generator.condition}, or generator.condition smaller."
        )
    if isinstance(recipe.generator, ResidualGenerator) and recipe.generator.hierarchical and recipe.latent.size < 8:
        return "/latent/size", "Every block gets a part of the latent: make latent.size 8 or more."
    return None


def _stages_switch_together(recipe: "Recipe") -> Violation | None:
    generator, critic = recipe.generator, recipe.critic
    if (
        isinstance(generator, StackedGenerator)
        and isinstance(critic, StackedCritic)
        and generator.first != critic.first
    ):
        return (
            "/critic/first",
            f"Both players must switch to their second stage together: set critic.first to {generator.first}.",
        )
    return None


def _latent_is_standard_normal(recipe: "Recipe") -> Violation | None:
    latent, game = recipe.latent, recipe.game
    if latent.kind == "normal" and latent.scale == 1:
        return None
    if isinstance(recipe.generator, SequenceGenerator | StackedGenerator):
        what = f"A part of this latent is the noise of a generator of kind {recipe.generator.kind}"
    elif isinstance(game, Reconstruction) and game.divergence:
        what = "The code is compared with the standard normal"
    else:
        return None
    return "/latent", f"{what}: make the latent normal, with a scale of 1."


def _batch_norm_needs_two_examples(recipe: "Recipe") -> Violation | None:
    generator = recipe.generator
    if recipe.batch_size == 1 and generator.kind == "mlp" and getattr(generator, "norm", "") == "batch":
        return "/batch_size", "BatchNorm of an mlp compares examples: make batch_size 2 or more, or norm none."
    return None


def _paired_game_has_a_loss(recipe: "Recipe") -> Violation | None:
    game = recipe.game
    if isinstance(game, PairedGame) and not (game.adversarial or game.pixel or game.content):
        return "/game", "The generator has no loss: set game.adversarial, game.pixel or game.content above 0."
    return None


def _adaptive_augment_needs_logits(recipe: "Recipe") -> Violation | None:
    augment = recipe.game.augment if isinstance(recipe.game, Synthesis) else None
    if augment and augment.target is not None and recipe.objective and recipe.objective.kind not in LOGIT_OBJECTIVES:
        return "/game/augment/target", (
            f"Adaptive augmentation counts scores above 0, which mean nothing under {recipe.objective.kind}: "
            f"choose {_alternatives(LOGIT_OBJECTIVES)}, or set the target to null."
        )
    return None


def _simultaneous_is_one_to_one(recipe: "Recipe") -> Violation | None:
    if recipe.turns.order == "simultaneous" and recipe.turns.critic_steps != 1:
        return (
            "/turns/critic_steps",
            "Players that are updated simultaneously are updated equally often: set critic_steps to 1.",
        )
    return None


def _each_penalty_once(recipe: "Recipe") -> Violation | None:
    kinds = [penalty.kind for penalty in recipe.penalties]
    for kind in kinds:
        if kinds.count(kind) > 1:
            return "/penalties", f"The penalty {kind} is listed twice; list it once and choose its weight."
    return None


def _watch_metric_fits_game(recipe: "Recipe") -> Violation | None:
    if recipe.watch is None:
        return None
    metric, metrics = recipe.watch.metric, METRICS.get((recipe.game.kind, recipe.data.kind), ())
    if metric == "agreement" and not recipe.classes:
        return "/watch/metric", "Agreement needs requested classes: choose frechet, or a conditional game."
    if metric not in metrics:
        played = f"In the {recipe.game.kind} game on {recipe.data.kind}"
        return "/watch/metric", f"{played} the metric can be {_alternatives(metrics)}, not {metric}."
    return None


def _evaluated_at_checkpoints(recipe: "Recipe") -> Violation | None:
    # With a budget in minutes both intervals follow later, with the steps.
    in_minutes = recipe.budget.minutes is not None
    if recipe.watch is None or in_minutes or recipe.watch.every % recipe.checkpoint_every == 0:
        return None
    every = recipe.checkpoint_every
    return (
        "/watch/every",
        f"Every evaluation needs a checkpoint: set watch.every to a multiple of checkpoint_every, {every}.",
    )


def _alternatives(words: Iterable[str]) -> str:
    *most, last = words
    return f"{', '.join(most)} or {last}" if most else last


RULES: tuple[Rule, ...] = (
    _game_fits_data,
    _critic_unless_reconstruction,
    _cross_entropy_of_probabilities,
    _networks_fit_game,
    _networks_fit_data,
    _upscaling_by_srresnet,
    _sides_divide,
    _crops_fit,
    _patches_fit_side,
    _features_fit_side,
    _conditional_has_labels,
    _classes_only_if_conditional,
    _began_with_autoencoder_critic,
    _wasserstein_is_lipschitz,
    _gradient_penalty_without_batch_norm,
    _penalties_fit_game,
    _packs_are_whole,
    _augment_only_images,
    _one_kind_of_lookahead,
    _latent_holds_noise,
    _stages_switch_together,
    _latent_is_standard_normal,
    _batch_norm_needs_two_examples,
    _paired_game_has_a_loss,
    _adaptive_augment_needs_logits,
    _simultaneous_is_one_to_one,
    _each_penalty_once,
    _watch_metric_fits_game,
    _evaluated_at_checkpoints,
)
