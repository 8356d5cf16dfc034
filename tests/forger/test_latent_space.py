"""The client's methods about latents, on a real service."""

import base64
import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

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


def test_picture_is_inverted_and_its_latent_generates_the_result(forger: Forger, trained: Job) -> None:
    drawn = forger.sample(7, model=trained.model, seed=3)
    found = forger.invert(drawn.data, model=trained.model, class_=7, steps=30, restarts=2, feature_weight=0)
    assert (found.model, found.class_, found.steps, found.attempts) == (trained.model, 7, 30, 2)
    again = forger.decode(found.latents, model=found.model, classes=found.classes)
    with Image.open(io.BytesIO(base64.b64decode(found.image))) as image:
        assert (np.asarray(image) == np.asarray(again.image())).all()


def test_hole_is_filled_by_the_sample_that_fits(forger: Forger, trained: Job) -> None:
    drawn, mask = forger.sample(7, model=trained.model, seed=3), Image.new("L", (16, 16))
    mask.paste(255, (4, 4, 10, 10))
    search: dict[str, Any] = {"model": trained.model, "class_": 7, "seed": 1, "steps": 9, "restarts": 2}
    found = forger.inpainting(drawn.data, mask, feature_weight=0, **search)
    assert (found.model, found.class_, found.steps, found.seed) == (trained.model, 7, 9, 1)
    with Image.open(io.BytesIO(base64.b64decode(found.image))) as image:
        filled = np.asarray(image)
    assert (filled == np.asarray(forger.inpaint(drawn.data, mask, **search).image())).all()
    again = forger.decode(found.latents, model=found.model, classes=found.classes)
    assert (filled == np.where(np.asarray(mask) > 0, np.asarray(again.image()), np.asarray(drawn.image()))).all()


def test_directions_are_found_used_and_deleted(forger: Forger, trained: Job) -> None:
    model, name_alone = str(trained.model), "cdcgan-digits"
    names = [one.name for one in forger.find_directions(name_alone, "stroke", n=2).data]
    slant = forger.find_directions(model, "slant", "means", from_={"samples": ["1:7"]}, to={"samples": ["2:7"]})
    names += [one.name for one in slant.data]
    assert forger.directions(name_alone) == forger.directions(model)
    assert [one.name for one in forger.directions(model).data] == names == ["stroke-1", "stroke-2", "slant"]
    moves = [{}, {"stroke-1": 2.0, "slant": -1.0}]
    rows = forger.edit(moves, model=model, samples=["1:7"], latents=[[0.0] * 64], class_=3).rows
    assert [len(row) for row in rows] == [2, 2]
    sheet = forger.edited_sheet(moves, model=model, samples=["1:7"], scale=2)
    assert sheet.image().size == (2 * 32 + 2, 32)
    for name in names:
        forger.delete_direction(name_alone, name)
    assert forger.directions(model).data == []


def test_latents_of_a_reply_are_sent_on_with_their_classes(forger: Forger, trained: Job) -> None:
    drawn = forger.latents(7, 2, model=trained.model, seed=1)
    edited = forger.edit([{}], model=drawn.model, latents=drawn.latents, classes=drawn.classes)
    assert edited == forger.edit([{}], model=drawn.model, latents=drawn.latents, class_=7)
    term = {"latents": drawn.latents, "classes": drawn.classes}
    averaged = forger.add_latents([term], model=drawn.model, class_=7).terms[0].averaged
    assert [row[0].image for row in edited.rows] == [code.image for code in averaged]
    whole = [forger.decode(drawn.latents, model=drawn.model, class_=class_).data for class_ in (7, "7")]
    assert whole[0] == whole[1]
    weights = [row[0].class_weights or [] for row in edited.rows]
    sheet = forger.edited_sheet([{}], model=drawn.model, latents=drawn.latents, class_weights=weights)
    assert sheet.image().size == (16, 33)
