"""Presets of translators: CycleGAN, pix2pix, SRGAN, inpainting."""

from models.spec.data import DataSpec, Images, Paired, Unpaired
from models.spec.games import Paired as PairedGame
from models.spec.games import Unpaired as UnpairedGame
from models.spec.nets import DcganCritic, PatchCritic, ResnetGenerator, SrresnetGenerator, UnetGenerator
from models.spec.objectives import LeastSquares, NonSaturating
from models.spec.penalties import R1
from models.spec.presets.common import Fields, synthesis
from models.spec.training import Adam, Budget, Ema, Latent, Linear, Turns

MAX_HALVINGS = 8
"""most halvings of pix2pix's generator"""


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
    """Return whether pictures are large enough for the papers' networks: 128 px, or crops of 256 px."""
    return _side(data) >= (256 if _load(data) else 128)


def _load(data: DataSpec) -> int | None:
    """Return the side of the pictures that crops are cut from; None without crops."""
    return data.load if isinstance(data, Unpaired | Paired) else None


def _small_cyclegan(side: int, *, crops: bool) -> Fields:
    """Return our settings for pictures below the published sizes and at most an hour of two cores: docs/recipes.md.

    A critic of three layers judges patches of 70 px, a whole scene of day2night; with two layers, windows stay dark at
    night. With InstanceNorm in the critic and without R1, photographs become grainy; with a width of 32 they get
    fringes. A critic of crops cannot judge the brightness of the whole scene; a small identity term preserves it.
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
    """Translate between pairs; from single pictures, learn to turn their edges into pictures."""
    side = _side(data)
    published = synthesis(
        game=PairedGame(task="edges" if isinstance(data, Images) else "given"),
        latent=Latent(size=1),
        generator=UnetGenerator(depth=_halvings(side, MAX_HALVINGS, smallest=1), dropout=0.5),
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
    """Use the paper's loss weights, and a small pixel loss in place of its pre-training.

    The critic's norm is spectral: it judges real and generated pictures in separate batches, and BatchNorm would reveal
    which batch is which.
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
    """Return our settings for small pictures and minutes of two cores: docs/recipes.md.

    A U-Net that halves twice has a small receptive field: after 600 steps residual blocks filled holes of MNIST at
    24.8 dB, the U-Net at 21.9 dB. At 64 px it halves four times, and lights the windows of day2night.
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


def _halvings(side: int, limit: int, smallest: int = 4) -> int:
    """Return the number of halvings, from 1 to `limit`, that leave whole maps of at least `smallest` pixels."""
    depth = 1
    while depth < limit and side % 2 ** (depth + 1) == 0 and side // 2 ** (depth + 1) >= smallest:
        depth += 1
    return depth
