"""Write the card of a version: what it learned, how well, from which data, under which licence, and where it ends."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from app.core.settings import get_settings
from app.core.store import Store
from app.db.repositories import datasets as dataset_rows
from app.db.repositories import jobs as job_rows
from app.db.session import unit_of_work
from app.services import views
from app.services.datasets import catalog
from app.services.jobs import lifecycle, measurements
from app.services.views import VersionView
from forger.wire import VERSION
from models.spec import portable
from models.spec.data import DataSpec, Paired, Unpaired
from models.spec.datasets import DATASETS, UNKNOWN_DATASET
from models.spec.portable import PortableFormat
from models.spec.wording import listed

Json = dict[str, Any]
CARD_FORMAT = 1
"""version of the card's fields"""
NO_LICENCE = "not recorded: ask whoever runs this service, and mind the licence of the data"
RECIPE = "`card.json` holds the complete recipe under `recipe`. Forger trains the same model with it again."
FOREIGN_RECIPE = (
    "`card.json` describes the network under `recipe`. The imported file says nothing about the training: the other "
    "settings are defaults."
)
PARITY_MEANING = (
    "largest and mean absolute difference between the outputs of these files and those of the network that Forger "
    "serves, over fixed inputs, in batches of 1 to 32"
)


def build(version: VersionView, format_: PortableFormat, report: Mapping[str, Any], *, has_samples: bool) -> Json:
    """Return the card as JSON. `report` is that of serving.portable.main."""
    recipe = version.recipe
    return {
        "card_format": CARD_FORMAT,
        "model": version.reference,
        "forger": VERSION,
        "step": version.step,
        "created_at": version.created_at,
        "export_sha256": version.export_sha256,
        "licence": version.card.get("imported", {}).get("licence"),
        "source": _source(version),
        "data": _data(version, report),
        "figures": _figures(version),
        "health": version.health,
        "samples": "samples.png" if has_samples else None,
        "format": format_,
        "files": report["files"],
        "programs": [_program(one, format_, report["programs"][one.name]) for one in portable.programs(recipe)],
        "parity": {**report["parity"], "meaning": PARITY_MEANING, "versions": report["versions"]},
        "limits": [*portable.limits(recipe), *_trouble(version)],
        "recipe": recipe.model_dump(mode="json"),
    }


def as_json(card: Json) -> bytes:
    return json.dumps(card, indent=1, sort_keys=True, ensure_ascii=False).encode() + b"\n"


def markdown(card: Json) -> str:
    """Return the card as a page for people. The recipe stands in card.json alone."""
    data = card["data"]
    generator = card["recipe"]["generator"]["kind"]
    foreign = data["dataset"] == UNKNOWN_DATASET
    learned = "not recorded" if foreign else f"{data['dataset']} ({data['source']})"
    trained = "trained elsewhere" if foreign else f"after {card['step']} steps"
    parts = [
        f"# {card['model']}",
        f"A {card['recipe']['game']['kind']} model ({generator} network) {trained}, written as {card['format']} by "
        f"Forger {card['forger']}.",
        f"- Licence: {card['licence'] or NO_LICENCE}\n- Source: {card['source'] or 'not recorded'}\n"
        f"- Data: {learned}; sha256: {data['sha256'] or data['no_digest']}" + _classes_text(data["class_names"]),
        *(["![Samples](samples.png)"] if card["samples"] else []),
        "## Programs",
        *map(_program_text, card["programs"]),
        _parity_text(card["parity"]),
        "## Use",
        _use_text(card),
        "## Figures",
        _figures_text(card["figures"]),
        "## Limits",
        "\n".join(f"- {sentence}" for sentence in card["limits"]),
        "## Recipe",
        FOREIGN_RECIPE if foreign else RECIPE,
    ]
    return "\n\n".join(parts) + "\n"


def sample_picture(version: VersionView) -> bytes | None:
    """Return the PNG of the last report up to the version's step, from the training's fixed noise; None without one."""
    artifact_id = version.card.get("sample")
    if version.job_id is None or artifact_id is None:
        return None
    artifacts = lifecycle.artifacts(version.job_id, "sample")
    sha256 = next((artifact.sha256 for artifact in artifacts if artifact.id == artifact_id), None)
    store = Store(get_settings().artifacts)
    if sha256 is None or store.defect(sha256) is not None:
        return None
    return store.path(sha256).read_bytes()


def _source(version: VersionView) -> str | None:
    """Return where the weights are from; None of imported ones if nobody said it."""
    if "imported" in version.card:
        source: str | None = version.card["imported"]["source"]
        return source
    return "a training of this service" + ("" if version.job_id is None else f", job {version.job_id}")


def _data(version: VersionView, report: Mapping[str, Any]) -> Json:
    """Return the dataset with its digest: of the uploaded archive, or of a built-in dataset's numbers.

    Without a digest, `no_digest` says why.
    """
    name = version.recipe.data.dataset
    if name in DATASETS:
        sha256, source, reason = report["data_sha256"], DATASETS[name].source, _no_numbers(version.recipe.data)
    else:
        sha256, source, reason = _archive(name, imported="imported" in version.card)
    return {
        "dataset": name,
        "source": source,
        "sha256": sha256,
        "digest_of": "numbers" if name in DATASETS else "archive",
        "no_digest": reason if sha256 is None else None,
        "class_names": catalog.class_names(version.recipe, catalog.all_datasets()),
    }


def _no_numbers(data: DataSpec) -> str:
    if isinstance(data, Unpaired | Paired):
        return f"None: rendering the scenes of {data.prepared_side} px anew takes too long."
    return "None: the files of the dataset were not in FORGER_DATA when the model was exported."


def _archive(name: str, *, imported: bool) -> tuple[str | None, str, str]:
    """Return the sha256 of an uploaded dataset, its source, and why there is no sha256 if it is None."""
    if name == UNKNOWN_DATASET:
        return None, "not recorded", "None: the weights were imported, and their file does not name the data."
    if imported:
        sentence = f"None: the weights were imported, and a dataset '{name}' of this service may be another one."
        return None, "not in this service", sentence
    with unit_of_work(read_only=True) as session:
        row = dataset_rows.find(session, name)
    if row is None:
        return None, "not in this service", "None: the dataset is not in this service."
    return row.archive_sha256, "uploaded to this service", ""


def _figures(version: VersionView) -> list[Json]:
    """Return the figures measured at the version's step, each with its provenance."""
    found = [] if version.job_id is None else _measured(version.job_id)
    at_step = [asdict(one) for one in found if one.step == version.step]
    if at_step:
        return [{"name": one["name"], "value": one["value"], "step": one["step"], "provenance": one["provenance"]}
                for one in at_step]  # fmt: skip
    provenance = measurements.watch_provenance(version.recipe)
    return [
        {"name": name, "value": value, "step": version.step, "provenance": provenance}
        for name, value in version.card.get("figures", {}).items()
    ]


def _measured(job_id: str) -> list[measurements.MeasuredFigure]:
    with unit_of_work(read_only=True) as session:
        row = job_rows.find(session, job_id)
        return [] if row is None else measurements.of_job(session, views.job(row))


def _program(program: portable.Program, format_: PortableFormat, parity: Json) -> Json:
    suffix = portable.SUFFIXES[format_]
    stem = portable.SAFETENSORS_STEM if format_ == "safetensors" else program.name
    return {
        "name": program.name,
        "file": stem + suffix,
        "inputs": [asdict(port) for port in program.inputs],
        "output": asdict(program.output),
        "parity": parity,
    }


def _trouble(version: VersionView) -> list[str]:
    if version.health is None or version.health["state"] != "troubled":
        return []
    return [f"Its training was in trouble: {version.health['message']}"]


def _classes_text(names: Sequence[str]) -> str:
    """Return a line with the number and name of each class, as far as they have names; nothing without classes."""
    if not names:
        return ""
    unnamed = all(name == str(number) for number, name in enumerate(names))
    entries = [f"{number} `{name}`" for number, name in enumerate(names)]
    return "\n- Classes: " + (f"0 to {len(names) - 1}" if unnamed else listed(entries))


def _use_text(card: Json) -> str:
    """Return how to run the reader of the format on each program that draws or translates."""
    format_ = card["format"]
    commands = [_reader_command(program, format_) for program in card["programs"] if program["name"] != "encoder"]
    rest = " It rebuilds most families, and names another format for the others." if format_ == "safetensors" else ""
    return (
        f"The reader `examples/readers/read_{format_}.py` of Forger's source runs without Forger; its first lines say "
        f"which packages it needs.{rest} Copied beside the files of this export:\n\n```sh\n"
        + "\n".join(commands)
        + "\n```"
    )


def _reader_command(program: Json, format_: PortableFormat) -> str:
    photo = " photo.png" if program["inputs"][0]["name"] == "picture" else ""
    direction = " b2a" if format_ == "safetensors" and program["name"] == "b2a" else ""
    return f"python read_{format_}.py {program['file']} out.png{photo}{direction}"


def _parity_text(parity: Json) -> str:
    packages = ", ".join(f"{name} {of}" for name, of in parity["versions"].items())
    return (
        f"Parity: {_number(parity['max_abs'])} at most, {_number(parity['mean_abs'])} on average, on "
        f"{parity['inputs']} inputs: the {parity['meaning']}. Measured with {packages}."
    )


def _program_text(program: Json) -> str:
    ports = "\n".join(f"- {_port_text('input', port)}" for port in program["inputs"])
    head = f"**{program['name']}** in `{program['file']}`, parity {_number(program['parity']['max_abs'])}:"
    return f"{head}\n\n{ports}\n- {_port_text('output', program['output'])}"


def _port_text(role: str, port: Json) -> str:
    shape = ", ".join(str(size) for size in port["shape"])
    return f"{role} `{port['name']}` {port['dtype']} [{shape}]: {port['meaning']}"


def _figures_text(figures: list[Json]) -> str:
    if not figures:
        return "None was measured."
    rows = (f"| {one['name']} | {_number(one['value'])} | {one['step']} |" for one in figures)
    table = "\n".join(["| figure | value | step |", "|---|---|---|", *rows])
    by_provenance: dict[str, list[str]] = {}
    for one in figures:
        by_provenance.setdefault(json.dumps(one["provenance"], sort_keys=True), []).append(one["name"])
    return "\n\n".join([table, *(f"Provenance of {listed(names)}: `{text}`" for text, names in by_provenance.items())])


def _number(value: float | None) -> str:
    return "not finite" if value is None else f"{value:.4g}"
