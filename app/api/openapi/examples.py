"""Build one example of each body for the OpenAPI document from the schemas, so that its shape is right."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from app.schemas import catalog_replies as replies
from app.schemas.job_replies import SUBRESOURCES, estimate_out, recipe_json
from app.services import recipes
from app.services.capacity import estimates
from app.services.jobs import measurements
from data.uploads import report as uploads
from forger.schemas import (
    arithmetic,
    augmentations,
    catalog,
    compare,
    directions,
    experiments,
    features,
    figures,
    interpolations,
    inversion,
    jobs,
    judgements,
    lectures,
    links,
    nearest,
    samples,
)
from forger.schemas.base import Health, Json, Out
from forger.schemas.dataset_report import Report
from forger.schemas.specs import AugmentSpec, TrainSpec
from forger.wire import JobState
from models.spec.datasets import DATASETS
from models.spec.families import FAMILIES

JOB = "job_01a1f3c2a0b47d1e8f3a5b6c7d8e9f00"
CHECKPOINT = "ckpt_01a1f3c2d5e6723f9a0b1c2d3e4f5061"
ARTIFACT = "art_01a1f3c2c9d07a4b8c1d2e3f40516273"
JUDGEMENT = "judge_01a1f3c2e4b58c6d7f9a0b1c2d3e4f50"
SHA256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
CREATED_AT = 1_795_300_000.0
MODEL = "cdcgan-digits"
LINK = "link_01a1f3c2a0b47d1e8f3a5b6c7d8e9f12"
EXPERIMENT = "exp_01a1f3c2a0b47d1e8f3a5b6c7d8e9f11"
OTHER_JOB = "job_01a1f3c2a0b47d1e8f3a5b6c7d8e9f22"
EXPERIMENT_IN: Json = {
    "name": "objectives",
    "recipe": "gan",
    "dataset": "ring8",
    "budget": {"steps": 2000},
    "grid": {"/objective": [{"kind": "hinge"}, {"kind": "minimax"}]},
    "seeds": 3,
}
PROVENANCE: Json = {"data": {"kind": "points", "dataset": "ring8", "dimension": 2}, "by": "watch", "n_fake": 2500}
ANSWERS: list[Json] = [
    {"truth": truth, "index": index, "guess": "real", "ms": 900 + index}
    for index in range(5)
    for truth in ("real", "fake")
]
AUGMENTATION_IN: Json = {"dataset": "digits", "per_class": 200, "seed": 1}
JOB_IN: Json = {"recipe": "cdcgan", "dataset": "digits", "seed": 1, "budget": {"steps": 1200}}

PARAMETERS: Mapping[str, Any] = {
    "job_id": JOB,
    "artifact_id": ARTIFACT,
    "experiment_id": EXPERIMENT,
    "link_id": LINK,
    "jobs": f"{JOB},{OTHER_JOB}",
    "version": 1,
    "class": "7",
    "n": 16,
    "seed": 1,
    "direction": "stroke-1",
    "scale": 4,
    "temperature": 0.8,
    "truncation": 0.8,
    "from": "1.0:3",
    "to": "1.0:7",
    "frames": 16,
    "mode": "slerp",
    "model": MODEL,
    "state": "running",
    "family": "cdcgan",
    "dataset": "digits",
    "domain": "a",
    "limit": 20,
    "Idempotency-Key": "9b1d6f0e-seven",
}
"""examples of parameters by name; EXAMPLE_NAMES holds those of `name`, by collection"""
EXAMPLE_NAMES: Mapping[str, str] = {"models": MODEL, "datasets": "digits", "recipes": "cdcgan", "lectures": "good"}


@lru_cache
def bodies() -> dict[str, Json]:
    """Return the examples by the name of the schema."""
    replies = {type(body).__name__: body.model_dump(mode="json", by_alias=True) for body in _replies()}
    return replies | {
        "JobIn": JOB_IN,
        "ExtendIn": {"budget": {"steps": 600}},
        "DecodeIn": {"model": "gan-ring8", "latents": [[-0.7, 3.2], [1.5, 0.4]], "scale": 2},
        "ArithmeticIn": {
            "model": "dcgan-faces",
            "terms": [
                {"samples": ["1.0", "1.4", "1.7"]},
                {"samples": ["2.1", "2.3", "2.8"], "weight": -1},
                {"samples": ["3.0", "3.2", "3.5"]},
            ],
        },
        "ModelIn": {"name": "sevens", "checkpoint": CHECKPOINT},
        "ExperimentIn": EXPERIMENT_IN,
        "AugmentationIn": AUGMENTATION_IN,
        "DirectionsIn": {"name": "stroke", "kind": "closed_form", "n": 4},
        "EditIn": {"model": MODEL, "samples": ["1:7"], "moves": [{"stroke-1": -2}, {}, {"stroke-1": 2}]},
        "JudgementIn": {"seed": 3, "judge": "ada", "answers": ANSWERS},
        "SessionIn": {"key": "correct-horse-battery-staple"},
        "LinkIn": {"kind": "job", "target": JOB, "hours": 24},
    }


def parameter(path: str, name: str) -> Any:
    """Return the example of a parameter; None if it needs none."""
    return EXAMPLE_NAMES.get(path.split("/")[1]) if name == "name" else PARAMETERS.get(name)


def _replies() -> list[Out]:
    recipe = recipes.defaults("cdcgan")
    family = FAMILIES["cdcgan"]
    own = f"/jobs/{JOB}"
    estimate = estimate_out(estimates.estimate(recipe), takes_s=51)
    message = "No trouble is seen after 5 evaluations: its Fréchet distance of features is 4.3."
    health = Health(state="healthy", kind=None, step=300, message=message)
    spec = TrainSpec(devices=1, start_from=None, extended_at=None)
    job = jobs.JobOut(
        id=JOB,
        kind="train",
        state=JobState.RUNNING,
        status_reason=None,
        family="cdcgan",
        recipe=recipe_json(recipe),
        dataset="digits",
        model=MODEL,
        spec=spec,
        experiment=None,
        case=None,
        estimate=estimate,
        numerics={"device": "cpu", "capability": "AVX512", "threads": 2, "precision": "bf16", "torch": "2.13.0"},
        attempt=1,
        progress=jobs.Progress(step=300, total=1200, eta_s=27.5),
        queue_position=None,
        starts_in_s=None,
        created_at=CREATED_AT,
        queued_at=CREATED_AT,
        started_at=CREATED_AT + 1,
        heartbeat_at=CREATED_AT + 9,
        finished_at=None,
        best=jobs.Best(step=240, metric="frechet", value=4.2),
        health=health,
        result=None,
        links={"self": own} | {room: f"{own}/{room}" for room in SUBRESOURCES},
    )
    version = catalog.VersionOut(
        model=f"{MODEL}@1",
        name=MODEL,
        version=1,
        game="synthesis",
        dataset="digits",
        classes=10,
        step=1200,
        job=JOB,
        export_sha256=SHA256,
        card={"steps": 1200, "seconds": 35.1, "device": "cpu"},
        health=health,
        created_at=CREATED_AT + 36,
        recipe=recipe_json(recipe),
    )
    artifact = jobs.ArtifactOut(
        id=ARTIFACT,
        name="sample-000000300.png",
        kind="sample",
        media_type="image/png",
        sha256=SHA256,
        size=15_000,
        step=300,
        created_at=CREATED_AT + 9,
        href=f"{own}/artifacts/{ARTIFACT}",
    )
    checkpoint = jobs.CheckpointOut(
        id=CHECKPOINT, step=300, sha256=SHA256, size=4_000_000, attempt=1, created_at=CREATED_AT + 9
    )
    plan = jobs.PlanOut(
        kind="train",
        recipe=recipe_json(recipe),
        family="cdcgan",
        dataset="digits",
        model=MODEL,
        spec=spec,
        estimate=estimate,
        notes=[],
        refusals=[],
    )
    schema = {"title": "Recipe", "type": "object"}
    recipe_out = replies.recipe_out(family, schema, recipe, family.dials[:1])
    dataset = catalog.DatasetOut.model_validate(DATASETS["digits"])
    return [
        job,
        jobs.JobPage(data=[job], has_more=True, next_cursor=JOB),
        plan,
        jobs.CurveList(data=[jobs.Curve(name="critic/non_saturating", points=[(30, 1.31), (60, 1.24)], thinned=False)]),
        jobs.CheckpointList(data=[checkpoint]),
        jobs.ArtifactList(data=[artifact]),
        jobs.SampleList(
            data=[jobs.SampleOut(step=300, artifact=ARTIFACT, href=artifact.href, created_at=artifact.created_at)]
        ),
        jobs.EventList(data=[jobs.EventOut(seq=1, type="state", data={"state": "queued"}, at=CREATED_AT)]),
        catalog.SystemOut(
            queues=[catalog.QueueLoad(name="training", queued=1, running=1)],
            attempts=[catalog.HeldJob(job=JOB, kind="train", worker="worker@lab", heartbeat_at=CREATED_AT)],
            disk=catalog.Disk(total_bytes=500_000_000_000, free_bytes=320_000_000_000, stored_bytes=48_097_644),
            versions={"forger": "1.0.0", "torch": "2.13.0"},
            memory_bytes=25_769_803_776,
            gpus=0,
        ),
        links.LinkList(data=[_link()]),
        _link(),
        catalog.SessionOut(key_required=True, signed_in=False, link=None),
        jobs.LogEventList(
            data=[jobs.LogEvent(position=7, job=JOB, seq=1, type="state", data={"state": "queued"}, at=CREATED_AT)],
            newest=7,
        ),
        version,
        catalog.ModelList(data=[catalog.ModelOut(name=MODEL, latest=version, versions=[1])]),
        catalog.ModelDetail(name=MODEL, versions=[version]),
        catalog.DatasetList(data=[dataset]),
        catalog.DatasetDetail(**dict(_faces(dataset)), report=_report(), links={"self": "/datasets/faces"}),
        recipe_out,
        catalog.RecipeList(data=[recipe_out]),
        lectures.LectureList(data=[_lecture()]),
        catalog.LimitList(
            data=[catalog.LimitOut(name="max_samples", value=1000, unit="pictures", meaning="Most pictures at once.")]
        ),
        _experiment(),
        _measured(),
        figures.JobFigureList(data=[_figure()]),
        experiments.ExperimentPage(
            data=[experiments.ExperimentOut.model_validate(_experiment())], has_more=True, next_cursor=EXPERIMENT
        ),
        experiments.ExperimentPlanOut(
            count=1,
            jobs=[
                experiments.PlannedJob(case="hinge", seed=1, family="gan", dataset="ring8", model="objectives-hinge")
            ],
            minutes=0.2,
            notes=[],
            refusals=[],
        ),
        _comparison(),
        _augmentation(job),
        _judgements(),
        _judgements().data[0],
        _nearest(),
        features.FeaturesOut(model=f"{MODEL}@1", source="critic", size=3, features=[[0.174, -0.021, 1.3]]),
        inversion.InversionOut.model_validate(_inversion()),
        inversion.InpaintingOut.model_validate(_inversion() | {"sample": "iVBORw0KGgo="}),
        _directions(),
        _directions().data[0],
        directions.EditOut.model_validate(_edit()),
        catalog.Index(name="forger", version="0.1.0", links={"jobs": "/jobs", "sample": "/sample"}),
        catalog.Version(name="forger", version="0.1.0", python="3.11.7"),
        catalog.Alive(status="ok"),
        catalog.Ready(status="ready", checks={"database": catalog.Check(ok=True, detail="ok")}),
        samples.Pictures.model_validate({"model": f"{MODEL}@1", "seed": 1, "class": 7, "images": ["iVBORw0KGgo="]}),
        samples.DecodedPictures.model_validate({"model": f"{MODEL}@1", "class": 7, "images": ["iVBORw0KGgo="]}),
        _arithmetic(),
        interpolations.InterpolationOut.model_validate(_interpolation()),
        samples.DatasetPictures.model_validate(
            {"dataset": "digits", "seed": 1, "class": 7, "domain": None, "images": ["iVBORw0KGgo="]}
        ),
    ]


def _judgements() -> judgements.JudgementPage:
    judged = judgements.JudgementOut(
        id=JUDGEMENT,
        model=f"{MODEL}@1",
        judge="ada",
        seed=3,
        n=len(ANSWERS),
        hits=5,
        answers=tuple(judgements.Answer.model_validate(answer) for answer in ANSWERS),
        created_at=CREATED_AT,
    )
    figure = judgements.HumanFigure(
        n=10,
        hits=5,
        accuracy=0.5,
        interval=(0.237, 0.763),
        fakes=5,
        fakes_taken_for_real=5,
        fooling_rate=1.0,
        median_ms=902.0,
        judges=1,
        rounds=1,
        provenance=judgements.HumanProvenance(dataset="digits", split="train", seeds=(3,), side=16, channels=1),
    )
    return judgements.JudgementPage(figure=figure, data=[judged], has_more=False, next_cursor=None)


def _arithmetic() -> arithmetic.ArithmeticOut:
    code = arithmetic.CodeOut(latent=[0.31, -1.2], class_weights=None, image="iVBORw0KGgo=")
    term = arithmetic.TermOut(weight=-1, samples=["2.1"], averaged=[code], mean=code)
    return arithmetic.ArithmeticOut(model="dcgan-faces@1", normalised=False, terms=[term], result=code)


def _interpolation() -> Json:
    walk: Json = {"waypoints": ["1.0", "2.0"], "mode": "slerp", "loop": False, "class": None}
    codes: Json = {"latents": [[-0.7, 3.2], [1.5, 0.4]], "class_weights": None}
    return {
        "model": "gan-ring8@1",
        **walk,
        **codes,
        "images": None,
        "points": [(0.7, -0.7), (1.0, 0.0)],
        "strings": None,
    }


def _inversion() -> dict[str, Any]:
    search = {"start": "random", "feature_weight": 0.1, "attempts": 10, "steps": 200}
    latent = {"class": 7, "latents": [[0.81, -1.2]], "classes": [7]}
    pictures = {"target": "iVBORw0KGgo=", "image": "iVBORw0KGgo="}
    return {"model": f"{MODEL}@1", "seed": 0, **latent, "mse": 0.0041, "psnr": 23.9, **search, **pictures}


def _directions() -> directions.DirectionList:
    found = {"name": "stroke-1", "kind": "closed_form", "source": {"rank": 1}, "strength": 4.2, "vector": [0.6, 0.8]}
    return directions.DirectionList.model_validate(
        {"model": f"{MODEL}@1", "data": [found | {"created_at": CREATED_AT}]}
    )


def _edit() -> dict[str, Any]:
    code = {"latent": [0.6, 0.8], "class_weights": None, "image": "iVBORw0KGgo="}
    return {"model": f"{MODEL}@1", "moves": [{"stroke-1": 1.0}], "rows": [[code]]}


def _nearest() -> nearest.NearestOut:
    found = {"row": 1052, "distance": 0.083, "class": 7, "image": "iVBORw0KGgo="}
    return nearest.NearestOut(
        dataset="digits",
        side=16,
        channels=1,
        measure="rms",
        searched=1797,
        data=[nearest.NearestPicture.model_validate(found)],
        typical=nearest.TypicalDistance(median=0.101, n=50),
    )


def _lecture() -> lectures.LectureOut:
    return lectures.LectureOut(
        name="mode_collapse",
        title="Mode collapse",
        look_for="The same few shapes again and again.",
        went_wrong="The critic nearly always wins.",
        request=JOB_IN,
        losses=[lectures.LossesOut(step=468, generator=3.0, critic=0.15)],
        course=None,
        steps=2344,
        seconds=315.0,
        picture="/lectures/mode_collapse/picture",
    )


def _experiment() -> experiments.ExperimentDetail:
    own = f"/experiments/{EXPERIMENT}"
    columns = [
        experiments.FigureOut(
            **_transport(),
            cases=[
                figures.CellOut(case="hinge", mean=0.11, deviation=0.02, interval=(0.06, 0.16), n=3, best=True),
                figures.CellOut(case="minimax", mean=0.24, deviation=0.06, interval=(0.09, 0.39), n=3, best=False),
            ],
        )
    ]
    ring = experiments.ExperimentJob(
        id=JOB,
        case="hinge",
        seed=1,
        state=JobState.SUCCEEDED,
        step=2000,
        total=2000,
        model="objectives-hinge@1",
        health=Health(state="healthy", kind=None, step=2000, message="No trouble is seen after 10 evaluations."),
        href=f"/jobs/{JOB}",
    )
    return experiments.ExperimentDetail(
        id=EXPERIMENT,
        name="objectives",
        created_at=CREATED_AT,
        states={JobState.SUCCEEDED: 6},
        cases=["hinge", "minimax"],
        links={"self": own, "table": f"{own}?format=csv", "picture": f"{own}?format=png", "jobs": f"{own}/jobs"},
        request=EXPERIMENT_IN,
        jobs=[ring],
        figures=columns,
    )


def _measured() -> experiments.MeasuredJobList:
    (job,) = _experiment().jobs
    return experiments.MeasuredJobList(data=[experiments.MeasuredJob(**job.model_dump(), figures=[_figure()])])


def _figure() -> figures.JobFigure:
    return figures.JobFigure(**_transport(), value=0.11, step=1900, source=JOB)


def _transport() -> Json:
    known = measurements.FigureGroup("transport", PROVENANCE, ())
    return figures.FigureHead.model_validate(known).model_dump()


def _comparison() -> compare.ComparisonOut:
    ranked = [
        compare.Ranked(job=JOB, value=0.11, step=1900, source=JOB),
        compare.Ranked(job=OTHER_JOB, value=0.24, step=2000, source=OTHER_JOB),
    ]
    jobs_ = [
        compare.ComparedJob(
            id=id_,
            family="gan",
            dataset="ring8",
            state=JobState.SUCCEEDED,
            seed=1,
            case={"name": name, "settings": {}},
            model=f"objectives-{name}@1",
            step=2000,
            metric="transport",
            best=jobs.Best(step=one.step or 0, metric="transport", value=one.value or 0),
            health=None,
        )
        for id_, name, one in zip((JOB, OTHER_JOB), ("hinge", "minimax"), ranked, strict=True)
    ]
    return compare.ComparisonOut(
        jobs=jobs_,
        differences=[
            compare.DifferenceOut(path="/objective", values=[{"kind": "hinge"}, {"kind": "minimax", "smoothing": 0}])
        ],
        curves=[
            compare.ComparedCurves(
                name="figure/transport", jobs=[compare.ComparedCurve(job=JOB, points=[(100, 0.9), (1900, 0.11)])]
            )
        ],
        figures=[
            compare.Ranking(
                **_transport(),
                jobs=ranked,
                cases=[],
            )
        ],
        samples=[
            compare.ComparedSample(job=job.id, href=f"/sample?model={job.model}&n=16&seed=1&scale=1", report=None)
            for job in jobs_
        ],
    )


def _augmentation(job: jobs.JobOut) -> augmentations.AugmentationOut:
    spec = AugmentSpec(weights=None, held_out="fifth", per_class=200, seed=1, seeds=3, classifier_steps=500)
    augmenting = {"kind": "augment", "spec": spec, "state": JobState.SUCCEEDED, "estimate": None}
    own = f"/jobs/{JOB}"
    return augmentations.AugmentationOut(
        job=job.model_copy(update=augmenting),
        report=_augmentation_report(),
        links={
            "self": f"/augmentations/{JOB}",
            "job": own,
            "report": f"{own}/artifacts/{ARTIFACT}",
            "pictures": f"{own}/artifacts/{ARTIFACT}",
        },
    )


def _augmentation_report() -> augmentations.AugmentationReport:
    def spread(*values: float) -> augmentations.Spread:
        return augmentations.Spread(mean=values[1], deviation=round(values[2] - values[1], 6), values=list(values))

    zero = augmentations.AugmentedClass(
        number=0,
        name="0",
        training=143,
        held_out=35,
        generated=212,
        disagreed=9,
        near_training=1,
        near_generated=2,
        kept=200,
        recall_before=spread(0.97, 0.98, 0.99),
        recall_after=spread(0.98, 0.99, 1.0),
    )
    return augmentations.AugmentationReport(
        dataset="digits",
        side=16,
        channels=1,
        generator=augmentations.AugmentedGenerator(family="cdcgan", export_sha256=SHA256, step=1200),
        per_class=200,
        seed=1,
        seeds=3,
        classifier_steps=500,
        batch_size=128,
        filter="A picture is kept if a classifier of the real training pictures sees the class it was generated for.",
        training=1441,
        held_out=356,
        accuracy={"real": spread(0.97, 0.975, 0.98), "both": spread(0.975, 0.98, 0.985)},
        gains={"both": augmentations.Gain(mean=0.005, low=-0.012, high=0.022)},
        interval="95 %, by Student's t.",
        useful=False,
        verdict="No gain is shown: +0.5 points of accuracy on held-out pictures (-1.2 to +2.2), and the interval "
        "includes zero.",
        warnings=[],
        classes=[zero],
    )


def _link() -> links.LinkOut:
    return links.LinkOut(
        id=LINK,
        kind="job",
        target=JOB,
        href=f"/studio/jobs/{JOB}?link={LINK}.2xq0Y3mJf1c7",
        created_at=CREATED_AT,
        expires_at=CREATED_AT,
    )


def _faces(other: catalog.DatasetOut) -> catalog.DatasetOut:
    changed: Json = {"name": "faces", "title": "faces", "side": 64, "size": 400, "source": "uploaded", "uploaded": True}
    return other.model_copy(update=changed | {"classes": 2, "class_names": ("s1", "s2")})


def _report() -> Report:
    report = uploads.Report(
        layout="classes",
        pictures=20,
        left_out=0,
        archive_bytes=200_000,
        archive_sha256=SHA256,
        width=uploads.Span(92, 92, 92),
        height=uploads.Span(112, 112, 112),
        formats={"PPM": 20},
        grey=20,
        colour=0,
        alpha=0,
        sixteen_bit=0,
        enlarged=0,
        classes=uploads.Listed(2, [uploads.Class("s1", 10), uploads.Class("s2", 10)]),
        balance=1.0,
        piles={},
        corrupt=uploads.Listed(0, []),
        near_constant=uploads.Listed(0, []),
        duplicates=uploads.Listed(0, []),
        ignored=uploads.Listed(1, ["README"]),
        notes=[],
        transform=uploads.Transform(
            64, 1, "centre square", "bicubic", ["crop", "resize"], "data.side and data.channels"
        ),
    )
    return Report.model_validate(report)
