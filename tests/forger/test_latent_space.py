"""The client's methods about latents, on a real service."""

import io
from typing import Any

import numpy as np
import pytest

from forger import Forger, ForgerProblem, Job


def test_latents_are_drawn_and_decoded_to_the_same_pictures(forger: Forger, trained: Job) -> None:
    drawn = forger.latents(7, n=3, model=trained.model, seed=1, truncation=1.0)
    assert drawn.classes == [7] * 3
    decoded = forger.decode(drawn.latents, model=drawn.model, class_=7, format="npy")
    sampled = forger.sample(7, n=3, model=drawn.model, seed=drawn.seed, truncation=1.0, format="npy")
    assert decoded.data == sampled.data
    assert (decoded.model, decoded.class_, decoded.seed) == (drawn.model, "7", None)
    weights = np.full((3, 10), 0.1).tolist()
    mixed = forger.decode(drawn.latents, model=drawn.model, class_weights=weights, scale=2)
    assert np.asarray(mixed.image()).shape == (66, 66)
    assert np.load(io.BytesIO(decoded.data)).shape == (3, 16, 16, 1)


def test_refused_latent_is_named(forger: Forger, trained: Job) -> None:
    with pytest.raises(ForgerProblem, match=r"write the 64 of"):
        forger.decode([[0.0] * 3], model=str(trained.model), class_=7)


def test_interpolation_has_the_samples_at_its_ends(forger: Forger, trained: Job) -> None:
    strip = forger.interpolate("1:3", "2:7", model=trained.model, frames=5)
    pixels = np.asarray(strip.image())
    assert pixels.shape == (16, 5 * 17 - 1)
    assert (pixels[:, :16] == np.asarray(forger.sample(3, model=trained.model, seed=1).image())).all()
    assert (pixels[:, -16:] == np.asarray(forger.sample(7, model=trained.model, seed=2).image())).all()
    animation = forger.interpolate(1, 2, 3, model=trained.model, frames=6, loop=True, format="webp")
    assert (animation.media_type, animation.model) == ("image/webp", trained.model)
    with pytest.raises(ValueError, match="two samples"):
        forger.interpolate(1)


def test_latents_are_added(forger: Forger, trained: Job) -> None:
    model = str(trained.model)
    terms: list[dict[str, Any]] = [
        {"samples": ["1:7", "2:7"]},
        {"samples": ["3:7"], "weight": -1},
        {"samples": ["4:3"]},
    ]
    reply = forger.add_latents(terms, model=model)
    assert reply.result.class_weights == [float(number == 3) for number in range(10)]
    means = np.array([term.mean.latent for term in reply.terms])
    assert np.allclose(reply.result.latent, means[0] - means[1] + means[2], atol=1e-6)
    assert forger.latent_figure(terms, model=model, scale=2).image().size == (4 * 34 - 2, 3 * 34 - 2)
