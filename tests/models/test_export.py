"""Exports hold nothing of the job, are equal bytes for equal weights, and keep the statistics of their own weights."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from models.build import build_generator
from models.export import NotAnExport, load_export, read_header, write_export
from models.latent import draw_latent
from models.recalibration import recalibrate_batchnorm
from models.rng import Rng
from models.spec.resolve import resolve

RECIPE = resolve("dcgan", seed=4)[1]


def test_equal_weights_give_equal_bytes_and_come_back_equal(tmp_path: Path) -> None:
    generator = build_generator(RECIPE)
    for name in ("one", "two"):
        write_export(tmp_path / name, RECIPE, 7, generator)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert set(read_header(tmp_path / "one")) == {"format", "recipe", "step"}
    loaded = load_export(tmp_path / "one")
    assert (loaded.recipe, loaded.step) == (RECIPE, 7)
    weights = loaded.networks["generator"].state_dict()
    assert all(torch.equal(weights[name], tensor) for name, tensor in generator.state_dict().items())


def test_exported_translators_are_loaded_by_direction(tmp_path: Path) -> None:
    recipe = resolve("cyclegan", overrides={"data": {"side": 16}, "generator": {"blocks": 0}})[1]
    write_export(tmp_path / "file", recipe, 1, build_generator(recipe))
    assert set(load_export(tmp_path / "file").networks) == {"a2b", "b2a"}


def test_recalibration_replaces_statistics_by_those_of_the_present_weights() -> None:
    generator = build_generator(RECIPE)
    norm = next(module for module in generator.modules() if isinstance(module, nn.BatchNorm2d))
    assert norm.running_mean is not None
    norm.running_mean.fill_(99)  # as left by other weights
    recalibrate_batchnorm(generator, RECIPE, batches=2, batch_size=16)
    batch_means: list[torch.Tensor] = []
    hook = norm.register_forward_hook(lambda _, inputs, __: batch_means.append(inputs[0].mean((0, 2, 3))))
    with torch.no_grad():
        for number in range(2):
            generator(draw_latent(RECIPE.latent, Rng(RECIPE.seed).stream("recalibrate", number), 16))
    hook.remove()
    torch.testing.assert_close(norm.running_mean, torch.stack(batch_means).mean(0))
    assert not generator.training
    assert norm.momentum == 0.1


def test_file_that_is_no_export_is_refused_with_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("hello")
    with pytest.raises(NotAnExport, match="text is not an export of Forger"):
        load_export(tmp_path / "text")
    header = json.dumps({"format": 2, "recipe": {}, "step": 1})
    save_file({"x": torch.zeros(1)}, tmp_path / "later", metadata={"forger": header})
    with pytest.raises(NotAnExport, match="has export format 2"):
        read_header(tmp_path / "later")
