"""The client's methods about latents, on a real service."""

import io

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
