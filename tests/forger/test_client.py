"""The Python client against a real service: every method, as a user calls it."""

import hashlib
import inspect
import io
import json
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app.api.replies.rendering import MEDIA_OF
from forger import (
    Experiment,
    Following,
    Forger,
    ForgerProblem,
    Job,
    Jobs,
    Picture,
    Plot,
    Version,
    client,
    connection,
    picture_recipe,
)
from tests.support.proxy import breaking_line
from tests.support.service import CHECKOUT
from tests.support.wait import until

HEAVY = ("torch", "sqlalchemy", "fastapi", "starlette", "numpy", "PIL", "rich", "IPython")


def test_import_of_the_client_loads_no_heavy_package() -> None:
    code = f"import sys, forger.client; print([name for name in {HEAVY} if name in sys.modules])"
    process = subprocess.run(
        [sys.executable, "-P", "-c", code], cwd=CHECKOUT, capture_output=True, text=True, check=True
    )
    assert process.stdout.strip() == "[]"


@pytest.mark.parametrize("kind", [Forger, Job, Jobs, Experiment, Picture, Following, Plot, Version])
def test_every_method_has_typed_arguments_and_a_docstring(kind: type) -> None:
    methods = {name: member for name, member in vars(kind).items() if inspect.isfunction(member) and name[0] != "_"}
    for name, method in methods.items():
        _, *parameters = inspect.signature(method).parameters.values()
        assert all(
            parameter.kind != parameter.VAR_KEYWORD and parameter.annotation is not parameter.empty
            for parameter in parameters
        ), name
        assert method.__doc__, name


def test_job_is_read_with_its_published_model(forger: Forger, trained: Job) -> None:
    read = forger.job(trained.id)
    assert read.reply == trained.reply
    assert read.ended
    assert read.model == "cdcgan-digits@1"
    assert "cdcgan on digits, succeeded, 6 of 6" in repr(read)
    assert read.reply.created_at < (read.reply.finished_at or 0)


def test_whole_recipe_of_a_job_can_be_trained_again(forger: Forger, trained: Job) -> None:
    recipe = trained.reply.recipe
    job = forger.train(recipe, model="again").cancel()
    assert job.reply.recipe == trained.reply.recipe
    assert job.reply.family is None
    assert job.state in ("cancelling", "cancelled")


def test_jobs_are_listed_and_rendered_as_a_table(forger: Forger, trained: Job) -> None:
    jobs = forger.jobs(model="cdcgan-digits")
    assert trained.id in [job.id for job in jobs]
    assert [job.id for job in jobs] == [job.id for job in jobs], "each iteration starts from the beginning"
    assert repr(jobs) == f"<Jobs at {forger.url}: model cdcgan-digits>"
    html = jobs._repr_html_()
    assert html.count("<tr>") == 1 + len(list(jobs))
    assert f"<td>{trained.id}</td><td>train</td><td>cdcgan on digits</td><td>succeeded</td><td>6 of 6</td>" in html
    assert list(forger.jobs(state="failed", kind="translate")) == []


def test_overrides_and_seed_reach_the_recipe(forger: Forger) -> None:
    job = forger.train("dcgan", seed=5, overrides={"batch_size": 16}, budget={"steps": 2}, dataset=None).cancel()
    recipe = job.reply.recipe
    assert (recipe["seed"], recipe["batch_size"], recipe["budget"]["steps"]) == (5, 16, 2)


def test_dry_run_creates_no_job(forger: Forger) -> None:
    before = [job.id for job in forger.jobs()]
    accepted = forger.dry_run("dcgan", dataset="digits")
    assert accepted.refusals == []
    assert accepted.recipe is not None
    assert accepted.model == "dcgan-digits"
    refused = forger.dry_run("cdcgan", dataset="ring8")
    assert refused.recipe is None
    assert refused.refusals[0].message
    assert [job.id for job in forger.jobs()] == before


def test_retried_request_creates_one_job_when_replies_are_lost(forger: Forger, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reply to the request is lost twice: the client sends it again, and the service repeats its reply."""
    monkeypatch.setattr(connection, "PAUSE_S", 0.0)
    before = {job.id for job in forger.jobs()}
    port = int(forger.url.rpartition(":")[2])
    with breaking_line(port, [0, 40]) as url, Forger(url) as unreliable:
        job = unreliable.train("dcgan", dataset="digits", budget={"steps": 2}).cancel()
    assert {job.id for job in forger.jobs()} - before == {job.id}


def test_retried_request_creates_one_job_over_a_restart(forger: Forger, monkeypatch: pytest.MonkeyPatch) -> None:
    """No reply arrives, then nothing listens for a while: the same key returns the job that was created."""
    monkeypatch.setattr(connection, "PAUSE_S", 0.02)
    before = {job.id for job in forger.jobs()}
    port = int(forger.url.rpartition(":")[2])
    with ThreadPoolExecutor(1) as pool:
        with breaking_line(port, repeat(0)) as url:
            unreliable = Forger(url)
            training = pool.submit(unreliable.train, "dcgan", dataset="digits", budget={"steps": 2})
            until(lambda: {job.id for job in forger.jobs()} - before)
        time.sleep(0.5)
        with breaking_line(port, [], at=int(url.rpartition(":")[2])), unreliable:
            job = training.result(30).cancel()
    assert {job.id for job in forger.jobs()} - before == {job.id}


def test_jobs_are_listed_across_pages_and_filtered(
    forger: Forger, trained: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    created = [forger.train("gan", dataset="digits", budget={"steps": 1}, model="paged").cancel().id for _ in range(5)]
    monkeypatch.setattr(client, "EXPERIMENTS_PER_PAGE", 2)
    assert [job.id for job in forger.jobs(model="paged")] == created[::-1]
    all_ids = [job.id for job in forger.jobs()]
    assert len(all_ids) == len(set(all_ids))
    assert {*created, trained.id} <= set(all_ids)
    assert trained.id in [job.id for job in forger.jobs(state="succeeded", family="cdcgan", dataset="digits")]
    assert trained.id in [job.id for job in forger.jobs(model=trained.model)]
    assert list(forger.jobs(model="cdcgan-digits@99")) == list(forger.jobs(model="paged@1")) == []


def test_job_can_be_paused_resumed_cancelled_and_deleted(forger: Forger) -> None:
    running_job = forger.train("cdcgan", dataset="digits", budget={"steps": 100_000})
    job = forger.train("gan", dataset="digits", budget={"steps": 100_000})  # queued behind the running one
    assert job.pause().state == "paused"
    assert job.resume().state == "queued"
    assert job.cancel().state == "cancelled"
    job.delete()
    with pytest.raises(ForgerProblem) as gone:
        job.refresh()
    assert gone.value.status == 404
    with pytest.raises(ForgerProblem) as refused:
        running_job.delete()
    assert (refused.value.status, refused.value.code) == (409, "job_state")
    assert running_job.cancel().wait().state == "cancelled"


def test_curves_checkpoints_samples_and_artifacts_of_a_job_are_read(trained: Job, tmp_path: Path) -> None:
    curves = trained.metrics()
    assert curves
    name = next(iter(curves))
    assert trained.metrics(name, after_step=3) == {name: [point for point in curves[name] if point[0] > 3]}
    assert trained.checkpoints()[0].step == 6
    samples = trained.samples()
    assert [sample.step for sample in samples] == sorted(sample.step for sample in samples)
    newest = trained.picture()
    assert newest == trained.picture(samples[-1])
    assert newest is not None
    assert newest.image().format == "PNG"
    (export,) = trained.artifacts("export")
    with pytest.raises(ValueError, match=r"end the name in \.safetensors"):
        trained.save(export, tmp_path / "export.pth")
    path = trained.save(export, tmp_path / "export.safetensors")
    assert hashlib.sha256(path.read_bytes()).hexdigest() == export.sha256
    assert list(tmp_path.iterdir()) == [path]
    assert export in trained.artifacts()


def test_sample_is_reproduced_by_its_seed(forger: Forger, trained: Job) -> None:
    picture = forger.sample(7, n=4, scale=2)
    assert picture.model == trained.model
    assert picture.class_ == "7"
    assert forger.sample("7", n=4, scale=2, seed=picture.seed, model=picture.model) == picture
    assert picture.image().size == (66, 66), "two by two, with a gap"
    assert picture._repr_png_() == picture.data
    assert "data" not in repr(picture)


def test_samples_come_in_other_formats(forger: Forger, trained: Job) -> None:
    array = forger.sample("each", n=2, model=trained.model, seed=1, format="npy")
    assert np.load(io.BytesIO(array.data)).shape[0] == 20
    assert array._repr_png_() is None
    sampled = json.loads(forger.sample(3, seed=1, format="json", temperature=0.5).data)
    assert sampled["class"] == 3
    assert forger.sample(seed=1, format="webp").image().format == "WEBP"


def test_strings_are_trained_watched_and_sampled(forger: Forger) -> None:
    job = forger.train("gumbel_gan", seed=1, budget={"steps": 4}).wait()
    assert job.state == "succeeded", job.reply.status_reason
    assert job.model == "gumbel_gan-dyck@1"
    assert job.metrics().keys() >= {"sample/valid", "sample/distinct"}
    strings = forger.sample(n=3, model=job.model, seed=1)
    assert strings.media_type == "text/plain"
    assert [len(line) for line in strings.text().splitlines()] == [12] * 3
    assert set(strings.text()) <= set("()[]\n")
    assert forger.sample(n=3, model=job.model, seed=1, format="png").image().mode == "RGB"


def test_picture_is_saved_complete_or_not_at_all(tmp_path: Path) -> None:
    picture = Picture(b"new", "image/png")
    file = tmp_path / "picture.png"
    file.write_bytes(b"old")
    assert picture.save(file).read_bytes() == b"new"
    with pytest.raises(OSError, match="nowhere"):
        picture.save(tmp_path / "nowhere" / "picture.png")
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(IsADirectoryError):
        picture.save(folder)
    picture.save("/dev/null")
    assert not Path("/dev/null").is_file()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "picture.png"]


@pytest.mark.parametrize(
    ("media_type", "name", "allowed"),
    [
        ("image/png", "a.gif", ".png"),
        ("image/png", "a.jpg", ".png"),
        ("image/jpeg", "a.png", ".jpg or .jpeg"),
        ("image/webp", "a.png", ".webp"),
        ("application/x-npy", "a.npz", ".npy"),
    ],
)
def test_picture_refuses_the_ending_of_another_format(media_type: str, name: str, allowed: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=rf"{name}: nothing here is written as .*: end the name in {allowed}\."):
        Picture(b"new", media_type).save(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_every_sample_format_can_be_saved_under_its_name(tmp_path: Path) -> None:
    for format_, media_type in (*MEDIA_OF.items(), ("JPEG", "image/jpeg")):
        assert Picture(b"new", media_type).save(tmp_path / f"a.{format_}").exists()


def test_translate_accepts_a_path_bytes_and_a_pillow_image(forger: Forger, tmp_path: Path) -> None:
    small = {"data": {"side": 16}}
    job = forger.train("cyclegan", dataset="day2night", budget={"steps": 2}, overrides=small, model="nights").wait()
    assert job.state == "succeeded", job.reply.status_reason
    photo = Image.effect_mandelbrot((41, 30), (-2, -1, 1, 1), 20).convert("RGB")
    photo.save(tmp_path / "photo.png")
    night = forger.translate(tmp_path / "photo.png")
    assert (night.model, night.image().size) == ("nights@1", (41, 30))
    assert forger.translate((tmp_path / "photo.png").read_bytes(), direction="a2b") == night
    assert forger.translate(photo, model="nights") == night
    assert forger.translate(photo, direction="b2a") != night
    with pytest.raises(ForgerProblem) as refused:
        forger.translate(b"no picture")
    assert refused.value.status == 415


def test_checkpoint_is_published_started_from_and_deleted(forger: Forger, trained: Job) -> None:
    newest, *_, oldest = trained.checkpoints()
    first = forger.publish("picked", oldest.id)
    second = forger.publish("picked", newest.id)
    assert (first.model, first.step) == ("picked@1", oldest.step)
    assert (second.model, second.step) == ("picked@2", newest.step)
    assert [version.model for version in forger.model("picked").versions] == ["picked@2", "picked@1"]
    forger.delete_model("picked@2")
    (picked,) = [model for model in forger.models() if model.name == "picked"]
    assert (picked.latest.model, picked.versions) == ("picked@1", [1])
    forger.delete_model("picked")
    assert "picked" not in [model.name for model in forger.models()]
    job = forger.train("cdcgan", dataset="digits", budget={"steps": 2}, start_from=newest.id).cancel()
    assert job.reply.spec.kind == "train"
    assert job.reply.spec.start_from is not None
    assert job.reply.spec.start_from.checkpoint == newest.id


def test_export_is_saved_and_imported_again(forger: Forger, trained: Job, tmp_path: Path) -> None:
    (export,) = trained.artifacts("export")
    trained.save(export, tmp_path / "own.safetensors")
    version = forger.import_model(tmp_path / "own.safetensors", "copied", licence="MIT", source="our own")
    card = version.card["imported"]
    assert (version.model, card["layout"], card["licence"], card["source"]) == ("copied@1", "forger", "MIT", "our own")
    assert version.export_sha256 == export.sha256
    copied, trained_here = (forger.sample(7, seed=1, model=model) for model in ("copied", trained.wait().model))
    assert copied.image().tobytes() == trained_here.image().tobytes()
    forger.delete_model("copied")
    (tmp_path / "text.pth").write_text("no weights")
    with pytest.raises(ForgerProblem) as refused:
        forger.import_model(tmp_path / "text.pth", "never")
    assert refused.value.status == 415


def test_datasets_recipes_and_limits_are_read(forger: Forger) -> None:
    assert "digits" in [dataset.name for dataset in forger.datasets()]
    names = [recipe.name for recipe in forger.recipes()]
    assert forger.recipe(names[0]).name == names[0]
    assert "max_pixels" in [limit.name for limit in forger.limits()]


def test_lectures_are_read_and_their_requests_can_be_trained(forger: Forger) -> None:
    good = next(lecture for lecture in forger.lectures() if lecture.name == "good")
    assert forger.dry_run(**good.request | {"dataset": "digits"}).refusals == []
    assert forger.lecture_picture("good").media_type == "image/png"


def test_real_pictures_of_a_dataset_are_fetched(forger: Forger, tmp_path: Path) -> None:
    real = forger.dataset_pictures("digits", class_=7, n=4, seed=1)
    assert (real.media_type, real.seed, real.class_, real.model) == ("image/png", 1, "7", None)
    assert real.image().size == (33, 33)
    assert forger.dataset_pictures("digits", "7", 4, seed=1).data == real.data
    assert picture_recipe(real.data) is None
    generated = picture_recipe(forger.sample(class_=7, seed=1).save(tmp_path / "seven.png"))
    assert generated is not None
    assert (generated["seed"], generated["class"]) == (1, 7)


def test_nearest_training_picture_of_a_real_picture_is_itself(forger: Forger) -> None:
    real = forger.dataset_pictures("digits", class_=7, n=1, seed=1)
    found = forger.nearest("digits", real.data, 2, channels=1)
    assert [one.distance == 0 for one in found.data] == [True, False]
    assert found.data[0].class_ == 7
    assert found.typical is not None
    assert forger.dataset_pictures("digits", n=1, side=32, channels=3, seed=1).image().size == (32, 32)


def test_judged_round_is_read_back(forger: Forger, trained: Job) -> None:
    answers = [{"truth": truth, "index": n, "guess": "real", "ms": 700} for n in range(5) for truth in ("real", "fake")]
    assert trained.model is not None
    sent = forger.judge(trained.model, answers, seed=1, judge="ada")
    page = forger.judgements(trained.model)
    assert page.data == [sent]
    assert page.figure is not None
    assert (page.figure.accuracy, page.figure.fooling_rate) == (0.5, 1)


def test_job_is_rendered_in_a_notebook(trained: Job) -> None:
    page = trained._repr_html_()
    assert f"<td>{trained.id}</td>" in page
    assert "cdcgan-digits@1" in page
    assert 'src="data:image/png;base64,' in page


def test_refusal_has_code_detail_and_pointer(forger: Forger) -> None:
    with pytest.raises(ForgerProblem) as refused:
        forger.sample(10)
    problem = refused.value
    assert (problem.status, problem.code) == (422, "no_such_class")
    assert str(problem) == problem.detail
    assert problem.errors[0].pointer == "/class"
    assert problem.request_id


@pytest.mark.parametrize("name", ["../jobs", "a/b", "a b?", "%2e%2e"])
def test_special_characters_in_a_name_are_escaped_in_the_path(forger: Forger, name: str) -> None:
    with pytest.raises(ForgerProblem) as refused:
        forger.model(name)
    assert refused.value.status in (404, 422)


def test_experiment_is_tried_started_found_and_deleted(forger: Forger, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reply to the start is lost twice: the client sends it again, and the service repeats its reply."""
    monkeypatch.setattr(connection, "PAUSE_S", 0.0)
    request = {"name": "rates", "recipe": "gan", "dataset": "ring8", "grid": {"/batch_size": [32, 64]}, "seeds": 2}
    plan = forger.try_experiment(request)
    assert (plan.count, plan.refusals) == (4, [])
    assert forger.try_experiment(request | {"dataset": "nope"}).refusals[0].pointer == "/dataset"
    assert list(forger.experiments()) == []
    port = int(forger.url.rpartition(":")[2])
    with breaking_line(port, [0, 40]) as url, Forger(url) as unreliable:
        experiment_id = unreliable.start_experiment(request).cancel().id
    assert [experiment.id for experiment in forger.experiments()] == [experiment_id]
    ended = forger.experiment(experiment_id).wait()
    assert ended.ended
    assert {job.reply.experiment for job in ended.jobs()} == {experiment_id}
    assert "figure" in ended.csv()
    assert ended.picture().image().width > 100
    ended.delete()
    with pytest.raises(ForgerProblem, match="There is no experiment"):
        ended.refresh()


def test_compare_returns_differences_and_samples(forger: Forger, trained: Job) -> None:
    other = forger.train("dcgan", dataset="digits", seed=2, budget={"steps": 2}).cancel()
    comparison = forger.compare(trained.id, other.id)
    assert "/seed" in {difference.path for difference in comparison.differences}
    sample, no_sample = comparison.samples
    assert no_sample.href is None
    assert sample.href is not None
    assert forger.fetch(sample.href).model == trained.model


def test_same_idempotency_key_creates_one_job_or_experiment(forger: Forger, trained: Job, tmp_path: Path) -> None:
    """A program that is restarted sends the same requests again."""
    picture = tmp_path / "a.png"
    Image.new("RGB", (20, 20)).save(picture)
    translator = forger.train("pix2pix", dataset="digits", budget={"steps": 1}, overrides={"watch": None}).wait().model
    grid = {"recipe": "gan", "dataset": "ring8", "budget": {"steps": 1}, "seeds": 1}
    calls: list[Callable[[str], Job | Experiment]] = [
        lambda key: forger.train("gan", budget={"steps": 1}, idempotency_key=key),
        lambda key: forger.evaluate(trained.model, n=100, idempotency_key=key),
        lambda key: forger.generate(3, model=trained.model, idempotency_key=key),
        lambda key: forger.translate_dataset("digits", model=translator, idempotency_key=key),
        lambda key: forger.translate_files([picture], model=translator, idempotency_key=key),
        lambda key: forger.start_experiment(grid, idempotency_key=key),
        lambda key: trained.extend(1, idempotency_key=key),
    ]
    for number, call in enumerate(calls):
        first, repeated = call(f"key {number}"), call(f"key {number}")
        assert first.reply.id == repeated.reply.id
        if number < len(calls) - 1:
            assert call(f"key {number}, once more").reply.id != first.reply.id
    for invalid in ("", "two\nlines", "ä", "x" * 256):
        with pytest.raises(ValueError, match="printable ASCII"):
            forger.train("gan", idempotency_key=invalid)
