"""Latents that are given to the engine: those that it draws itself give the same bits, in every batch."""

import numpy as np
import pytest
import torch

from models.export import load_export
from serving.engine import Engine
from serving.loaded import Code, LoadedModel
from serving.protocol import Array, Pick
from tests.serving.conftest import WriteExport

CPU = torch.device("cpu")
UNCONDITIONAL = (("gan", "digits"), ("gan", "ring8"), ("gumbel_gan", "dyck"), ("progan", "digits"), ("vae", "digits"))
CONDITIONAL = (
    ("cgan", "digits"),
    ("cdcgan", "digits"),
    ("acgan", "digits"),
    ("biggan", "digits"),
    ("stackgan", "digits"),
)


def picks(n: int, label: int | None) -> list[Pick]:
    return [(label, index) for index in range(n)]


def one_hot(label: int, n: int) -> Array:
    return np.eye(10, dtype=np.float32)[[label] * n]


@pytest.mark.sampled(quick=2)
@pytest.mark.parametrize(("family", "dataset"), UNCONDITIONAL + CONDITIONAL)
def test_drawn_latents_decode_to_the_samples_bit_for_bit(
    engine: Engine, export: WriteExport, family: str, dataset: str
) -> None:
    path, label = export(family, dataset), 7 if (family, dataset) in CONDITIONAL else None
    weights = None if label is None else one_hot(label, 9)
    for how in ({}, {"temperature": 0.5}, {"truncation": 0.5}):
        samples = engine.sample(path, picks(9, label), seed=3, **how).result()
        latents = engine.latents(path, picks(9, label), seed=3, **how).result()
        assert latents.dtype == np.float32
        assert (engine.decode(path, latents, weights).result() == samples).all()


@pytest.mark.parametrize(("family", "dataset"), CONDITIONAL)
def test_mixture_of_classes_is_identical_in_every_batch(export: WriteExport, family: str, dataset: str) -> None:
    loaded = LoadedModel(load_export(export(family, dataset)), CPU, threads=1)
    rng = np.random.default_rng(0)
    latents = rng.normal(size=(40, loaded.recipe.latent.size)).astype(np.float32)
    weights = rng.dirichlet(np.ones(10), 40).astype(np.float32)
    weights[0] = one_hot(3, 1)
    weights[1] = (one_hot(3, 1) + one_hot(5, 1)) / 2
    codes = [Code(*row) for row in zip(latents, weights, strict=True)]
    whole = loaded.decode(codes)
    for start, n in ((0, 1), (0, 7), (1, 1), (3, 33)):
        assert (loaded.decode(codes[start : start + n]) == whole[start : start + n]).all()
    ends = loaded.decode([Code(latents[1], one_hot(label, 1)[0]) for label in (3, 5)])
    assert (whole[1] != ends[0]).any()
    assert (whole[1] != ends[1]).any()


def test_autoencoder_decodes_latents(engine: Engine, export: WriteExport) -> None:
    latents = np.linspace(-1, 1, 3 * 32, dtype=np.float32).reshape(3, 32)
    pictures = engine.decode(export("autoencoder", "digits"), latents).result()
    assert pictures.shape == (3, 16, 16, 1)
    assert len(np.unique(pictures.reshape(3, -1), axis=0)) == 3


def test_drawing_latents_counts_no_pictures(engine: Engine, export: WriteExport) -> None:
    assert len(engine.latents(export("dcgan", "digits"), picks(50, None), seed=1).result()) == 50
    assert sum(engine.load()[1]) == 0


def test_samples_and_latents_of_one_model_do_not_change_each_other(engine: Engine, export: WriteExport) -> None:
    path = export("cdcgan", "digits")
    latents = engine.latents(path, picks(40, 7), seed=1).result()
    alone = engine.sample(path, picks(40, 7), seed=1).result()
    together = [
        request
        for _ in range(5)
        for request in (
            engine.sample(path, picks(40, 7), seed=1),
            engine.decode(path, latents, one_hot(7, 40)),
        )
    ]
    assert all((request.result() == alone).all() for request in together)
