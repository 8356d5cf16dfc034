"""Picture to picture."""

from models.spec.data import DataSpec, Images, Paired, Unpaired
from models.spec.games import Paired as PairedGame
from models.spec.games import Unpaired as UnpairedGame
from models.spec.nets import DcganCritic, PatchCritic, ResnetGenerator, SrresnetGenerator, UnetGenerator
from models.spec.objectives import LeastSquares, NonSaturating
from models.spec.penalties import R1
from models.spec.presets.common import Fields, synthesis
from models.spec.training import Adam, Budget, Ema, Latent, Linear, Turns

MAX_HALVINGS = 8
"""halvings of pix2pix's generator"""


def cyclegan(data: DataSpec) -> Fields:
    side = _side(data)
    published = synthesis(
        game=UnpairedGame(),
        latent=Latent(size=1),
        generator=ResnetGenerator(blocks=9 if side >= 256 else 6),
        critic=PatchCritic(),
        objective=LeastSquares(scale=1),
        turns=Turns(order="generator_first"),
        schedule=Linear(flat=0.5),
        batch_size=1,
        budget=Budget(steps=100_000),
    )
    return published if _as_published(data) else published | _small_cyclegan(side, crops=_load(data) is not None)


def _as_published(data: DataSpec) -> bool:
    """Whether pictures are as large as the papers' and GPUs: 128 px, or crops of 256 px, of which 286 is the load."""
    return _side(data) >= (256 if _load(data) else 128)


def _load(data: DataSpec) -> int | None:
    """The side of the pictures that crops are cut from; None where whole pictures are learned from."""
    return data.load if isinstance(data, Unpaired | Paired) else None


def _small_cyclegan(side: int, *, crops: bool) -> Fields:
    """Ours, for pictures smaller than the published ones and an hour of two cores at most: docs/recipes.md.

    A critic of three layers sees 70 px, a scene of day2night at once; under one of two, windows stay dark by night.
    With InstanceNorm in the critic and without R1, photographs become grain; with a width of 32 they get fringes. A
    critic of crops sees parts of a scene and cannot tell that the whole is too dark or too bright; a small identity
    term keeps the brightness.
    """
    adam = Adam(rate=4e-4, beta1=0, beta2=0.99)
    return {
        "game": UnpairedGame(identity=0.5 if crops else 0),
        "generator": ResnetGenerator(width=16, blocks=3, upsample="nearest", skips=True),
        "critic": PatchCritic(width=16, layers=3 if side >= 64 else 2, norm="none"),
        "objective": NonSaturating(),
        "penalties": (R1(weight=10, every=8),),
        "generator_optimizer": adam,
        "critic_optimizer": adam,
        "ema": Ema(decay=0.998),
        "batch_size": 4 if side < 128 else 1,
        "budget": Budget(steps=3000),
    }


def pix2pix(data: DataSpec) -> Fields:
    """Pairs as they are given; of single pictures, from their edges."""
    side = _side(data)
    published = synthesis(
        game=PairedGame(task="edges" if isinstance(data, Images) else "given"),
        latent=Latent(size=1),
        generator=UnetGenerator(depth=_halvings(side, MAX_HALVINGS, least=1), dropout=0.5),
        critic=PatchCritic(),
        schedule=Linear(flat=0.5),
        batch_size=1,
        budget=Budget(steps=80_000),
    )
    if _as_published(data):
        return published
    game: PairedGame = published["game"]
    return published | _small(data, steps=3000) | {
        "game": game.model_copy(update={"pixel": 30.0}),
        "generator": UnetGenerator(width=32, depth=_halvings(side, MAX_HALVINGS), norm="none"),
        "batch_size": 16 if side <= 32 else 8 if side < 128 else 2,
    }  # fmt: skip


def srgan(data: DataSpec) -> Fields:
    """The paper's weights; without its pre-training, pixels keep a small one beside them. The critic judges real and
    made pictures in batches of their own, where BatchNorm would tell them apart by their batch: its norm is spectral.
    """
    game = PairedGame(task="downscaling", conditional=False, adversarial=1e-3, pixel=0.1, content=1)
    adam = Adam(rate=1e-4, beta1=0.9)
    published = synthesis(
        game=game,
        latent=Latent(size=1),
        generator=SrresnetGenerator(),
        critic=DcganCritic(norm="spectral"),
        generator_optimizer=adam,
        critic_optimizer=adam,
        batch_size=16,
        budget=Budget(steps=200_000),
    )
    if _side(data) >= 96:
        return published
    return published | _small(data, steps=2000) | {
        "generator": SrresnetGenerator(width=32, blocks=4, norm="none"),
        "critic": DcganCritic(width=32, norm="none"),
    }  # fmt: skip


def inpaint(data: DataSpec) -> Fields:
    side = _side(data)
    published = synthesis(
        game=PairedGame(task="masks", conditional=False, adversarial=1e-3, pixel=1),
        latent=Latent(size=1),
        generator=UnetGenerator(depth=_halvings(side, 6), norm="batch", skips=False),
        critic=DcganCritic(),
        generator_optimizer=Adam(rate=2e-3),
        critic_optimizer=Adam(rate=2e-4),
        budget=Budget(steps=100_000),
    )
    if side >= 128:
        return published
    return published | _small(data, steps=2500) | {
        "game": PairedGame(task="masks", conditional=False, pixel=50),
        "critic": DcganCritic(width=32, norm="none"),
    }  # fmt: skip


def _small(data: DataSpec, steps: int) -> Fields:
    """Ours, for small pictures and minutes of two cores: docs/recipes.md.

    The waist of a U-Net that halves twice sees little: after 600 steps residual blocks filled holes of MNIST at 24.8 dB
    against its 21.9. On 64 px it halves four times, and lights the windows of day2night.
    """
    adam = Adam(rate=5e-4, beta1=0, beta2=0.99)
    return {
        "generator": ResnetGenerator(width=16, blocks=4, upsample="nearest", skips=True),
        "critic": PatchCritic(width=32, layers=2, norm="none"),
        "penalties": (R1(weight=1, every=8),),
        "generator_optimizer": adam,
        "critic_optimizer": adam,
        "schedule": Linear(flat=0.5),
        "ema": Ema(decay=0.995),
        "batch_size": 16 if _side(data) <= 32 else 4,
        "budget": Budget(steps=steps),
    }


def _side(data: DataSpec) -> int:
    return data.side if isinstance(data, Images | Unpaired | Paired) else 256


def _halvings(side: int, most: int, least: int = 4) -> int:
    """As many as leave whole maps of `least` pixels or more; at least one."""
    depth = 1
    while depth < most and side % 2 ** (depth + 1) == 0 and side // 2 ** (depth + 1) >= least:
        depth += 1
    return depth
