"""Write HTML for notebooks, with all text escaped. Needs no Jupyter, which calls `_repr_html_` by itself."""

import base64
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from html import escape

from forger.picture import PNG, Picture
from forger.schemas import experiment_tables
from forger.schemas.base import Health
from forger.schemas.catalog import DatasetOut, VersionOut
from forger.schemas.compare import ComparisonOut
from forger.schemas.dataset_report import Report
from forger.schemas.experiments import ExperimentDetail
from forger.schemas.figures import CellOut
from forger.schemas.jobs import JobOut
from forger.text import health_word, job_title, progress_text, rounded, setting_text, sparkline, time_left

Bundle = dict[str, str]
"""one output in several media types, by media type, as Jupyter takes it"""
PLAYERS = ("critic", "generator")
"""names of the curves of losses"""


class Html(str):
    """Text that is HTML already: every other string is escaped."""


def job(reply: JobOut, picture: Picture | None, studio: str) -> str:
    """Return a small table with the newest sample below it."""
    at = reply.progress
    rows = {
        "job": reply.id,
        "recipe": job_title(reply),
        "state": reply.state if reply.status_reason is None else f"{reply.state}: {reply.status_reason.message}",
        "health": _health(reply.health),
        "step": progress_text(at.step, at.total),
        "model": reply.result.model or reply.model if reply.result else f"{reply.model} (not yet)",
        "studio": _link(studio),
    }
    return f"{_facts(rows)}{'' if picture is None else _image(picture, 'the newest sample')}"


def jobs(replies: Sequence[JobOut]) -> str:
    """Return a table with a row for each job."""
    head = ("job", "kind", "recipe", "state", "step", "health", "model", "created")
    return _table(head, map(_cells, replies))


def _cells(reply: JobOut) -> Sequence[str]:
    return (
        reply.id,
        reply.kind,
        job_title(reply),
        str(reply.state),
        progress_text(reply.progress.step, reply.progress.total),
        health_word(reply.health) or "",
        (reply.result.model if reply.result else None) or reply.model,
        _time(reply.created_at),
    )


def following(
    reply: JobOut,
    curves: Mapping[str, Sequence[float | None]],
    picture: Picture | None,
    studio: str,
) -> Bundle:
    """Return a running job as HTML and as text, by media type: bar, time left, sparklines, health, newest picture.

    The sparklines are those of the losses and of the figure that decides the best checkpoint.
    """
    at = reply.progress
    progress = progress_text(at.step, at.total) + time_left(at.eta_s)
    health, reason = _health(reply.health), reply.status_reason and reply.status_reason.message
    sentences = [sentence for sentence in (reason, health) if sentence]
    metric = str((reply.recipe.get("watch") or {}).get("metric"))
    names = [name for name in (*PLAYERS, metric) if name in curves]
    lines = [(name, sparkline(curves[name]), rounded(curves[name][-1])) for name in names]
    total = "" if at.total is None else f' max="{at.total}" value="{at.step}"'
    html = (
        f"<div><b>{escape(job_title(reply))}</b> {escape(reply.state)}, {escape(progress)} {_link(studio)}</div>"
        f'<progress{total} style="width: 100%; max-width: 40em"></progress>'
        + (_table((), [(name, Html(f"<code>{line}</code>"), value) for name, line, value in lines]) if lines else "")
        + "".join(map(_sentence, sentences))
        + (_image(picture, "the newest picture of the fixed noise") if picture else "")
    )
    plain = [f"{job_title(reply)}, {reply.state}, {progress}", *map("  ".join, lines), *sentences]
    return {"text/html": html, "text/plain": "\n".join(plain)}


def noted(bundle: Bundle, note: str) -> Bundle:
    """Return the output with a sentence at its end."""
    return {"text/html": bundle["text/html"] + _sentence(note), "text/plain": f"{bundle['text/plain']}\n{note}"}


def version(reply: VersionOut, studio: str) -> str:
    """Return the quality card of a published version."""
    card = reply.card
    best = card.get("best") or {}
    rows = {
        "model": reply.model,
        "health": _health(reply.health),
        "game": reply.game,
        "dataset": reply.dataset,
        "classes": str(reply.classes) if reply.classes else None,
        "step": progress_text(reply.step, card.get("steps")),
        "why this step": best.get("message"),
        **{name: rounded(value, 4) for name, value in (card.get("figures") or {}).items()},
        "trained by": reply.job,
        "published": _time(reply.created_at),
        "sha256": reply.export_sha256,
        "studio": _link(studio),
    }
    return _facts(rows)


def dataset(reply: DatasetOut, report: Report | None, studio: str) -> str:
    """Return a table of a dataset's facts, with the notes on an upload."""
    examples = f"{reply.size} {reply.kind}" + (f", {reply.side} x {reply.side} px" if reply.side else "")
    classes = f"{reply.classes}: {', '.join(reply.class_names)}" if reply.classes else None
    rows = {
        "dataset": reply.name,
        "title": reply.title,
        "examples": examples,
        "classes": classes,
        "source": reply.source,
        "left out": str(report.left_out) if report and report.left_out else None,
        "note": " ".join(report.notes) if report else None,
        "studio": _link(studio),
    }
    return _facts(rows)


def comparison(reply: ComparisonOut, studio: str) -> str:
    """Return tables of the jobs, of the settings in which they differ, and of their figures."""
    names = experiment_tables.short_names(reply)
    head = list(names.values())
    compared = [
        (names[one.id], one.dataset, str(one.state), str(one.step), health_word(one.health) or "", one.model or "")
        for one in reply.jobs
    ]
    settings = [(one.path, *map(setting_text, one.values)) for one in reply.differences]
    labels = experiment_tables.labels(reply.figures)
    figures = [
        (label, *_ranked({ranked.job: ranked.value for ranked in one.jobs}, list(names), bool(one.better)))
        for label, one in zip(labels, reply.figures, strict=True)
    ]
    parts = [_table(("job", "dataset", "state", "step", "health", "model"), compared)]
    parts += [_table(("setting", *head), settings)] if settings else [_sentence("The recipes are equal.")]
    parts += [_table(("figure", *head), figures)] if figures else [_sentence("Nothing is measured yet.")]
    parts += map(_sentence, experiment_tables.sources(reply.figures) if figures else [])
    return f"{''.join(parts)}<p>{_link(studio)}</p>"


def _ranked(values: Mapping[str, float | None], ids: Sequence[str], better: bool) -> list[str]:
    """Return the cells of one figure; better ones come first in `values`, and the best is bold unless all are equal."""
    finite = [value for value in values.values() if value is not None]
    best = finite[0] if better and len(set(finite)) > 1 else None
    texts = [(rounded(values[id_], 4), values[id_]) if id_ in values else ("", None) for id_ in ids]
    return [_bold(text) if best is not None and value == best else text for text, value in texts]


def experiment(reply: ExperimentDetail, studio: str) -> str:
    """Return the table of an experiment: a line for each case, with the notes on how to read it."""
    rows = [(case, *map(_cell, cells)) for case, cells in experiment_tables.rows(reply)]
    notes = "".join(map(_sentence, experiment_tables.notes(reply)))
    title = f"<p><b>{escape(experiment_tables.title(reply))}</b> {_link(studio)}</p>"
    return f"{title}{_table(experiment_tables.head(reply), rows)}{notes}"


def _cell(cell: CellOut | None) -> str:
    text = experiment_tables.cell_text(cell)
    return _bold(text) if cell is not None and cell.best else text


def _health(health: Health | None) -> str | None:
    return None if health is None else f"{health_word(health)}: {health.message}"


def _time(at: float) -> str:
    return f"{datetime.fromtimestamp(at):%Y-%m-%d %H:%M:%S}"


def _facts(rows: Mapping[str, str | None]) -> str:
    """Return a table with a name and its value in each row; without the values that are None."""
    cells = (f"<tr>{_tag('th', name)}{_tag('td', value)}</tr>" for name, value in rows.items() if value is not None)
    return f"<table>{''.join(cells)}</table>"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; without a head if that is empty."""
    lines = [("th", head)] if head else []
    lines += [("td", row) for row in rows]
    body = "".join(f"<tr>{''.join(_tag(tag, cell) for cell in row)}</tr>" for tag, row in lines)
    return f"<table>{body}</table>"


def _tag(tag: str, text: str) -> str:
    return f"<{tag}>{text if isinstance(text, Html) else escape(text)}</{tag}>"


def _sentence(text: str) -> str:
    return _tag("p", text)


def _bold(text: str) -> Html:
    return Html(_tag("b", text))


def _link(studio: str) -> Html:
    return Html(f'<a href="{escape(studio)}" target="_blank" rel="noopener">Open in the studio</a>')


def _image(picture: Picture, alt: str) -> str:
    """Return the picture, whose pixels stay sharp where it is enlarged."""
    data = base64.b64encode(picture.data).decode()
    return f'<img src="data:{PNG};base64,{data}" alt="{alt}" style="min-width: 20em; image-rendering: pixelated">'
