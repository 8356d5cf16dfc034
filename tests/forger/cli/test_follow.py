"""The command that is suggested at a job's end fits its model."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from forger.cli.follow import next_command
from models.spec.resolve import resolve


@pytest.mark.parametrize(
    ("family", "dataset", "line"),
    [
        ("dcgan", "digits", "forger sample -n 64 --scale 8 -o digits.png --model 'a b@2'"),
        ("cdcgan", "mnist", "forger sample --class each -n 10 --scale 4 -o mnist.png --model 'a b@2'"),
        ("cdcgan", "stacked_mnist", "forger sample -n 64 --scale 4 -o stacked_mnist.png --model 'a b@2'"),
        ("gan", "gaussian1d", "forger sample -n 1000 -o gaussian1d.png --model 'a b@2'"),
        ("gumbel_gan", "dyck", "forger sample -n 20 -o dyck.txt --model 'a b@2'"),
        ("cyclegan", "day2night", "forger translate photo.jpg -o translated.png --model 'a b@2'"),
        ("vae", "digits", "forger sample -n 64 --scale 8 -o digits.png --model 'a b@2'"),
        ("autoencoder", "digits", "forger models show 'a b'"),
    ],
)
def test_suggested_command_fits_family_and_dataset(family: str, dataset: str, line: str) -> None:
    recipe = resolve(family, dataset=dataset)[1].model_dump(mode="json")
    job = SimpleNamespace(model="a b@2", reply=SimpleNamespace(recipe=recipe))
    assert next_command(cast(Any, job)) == line
