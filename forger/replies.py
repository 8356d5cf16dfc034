"""Extend replies for people: a link into the studio, a table in notebooks, one line as text."""

from typing import Any
from urllib.parse import quote

from pydantic import PrivateAttr

from forger import notebook
from forger.schemas.base import Out
from forger.schemas.catalog import DatasetDetail, DatasetOut, ModelDetail, ModelOut, VersionOut
from forger.schemas.compare import ComparisonOut
from forger.text import health_word


class _Linked(Out):
    """A reply that knows the address of the studio that shows it. The address is no part of the reply."""

    _studio: str = PrivateAttr("")

    def model_post_init(self, context: Any) -> None:
        """Take the studio's address, which `Connection.parse` gives."""
        self._studio = context or ""

    def __str__(self) -> str:
        return repr(self)


class Version(_Linked, VersionOut):
    """A published version of a model: its quality card."""

    @property
    def studio(self) -> str:
        """Return the address of its page in the studio."""
        return f"{self._studio}/models/{quote(self.name)}"

    def __repr__(self) -> str:
        health = health_word(self.health) or "health unknown"
        return f"<Version {self.model}: {self.game} on {self.dataset}, step {self.step}, {health}>"

    def _repr_html_(self) -> str:
        return notebook.version(self, self.studio)


class Model(_Linked, ModelOut):
    """A model's name, its newest version, and the numbers of all versions."""

    latest: Version

    @property
    def studio(self) -> str:
        """Return the address of its page in the studio."""
        return self.latest.studio

    def __repr__(self) -> str:
        return f"<Model {self.name}: versions {', '.join(map(str, self.versions))}; newest {self.latest!r}>"

    def _repr_html_(self) -> str:
        return notebook.version(self.latest, self.studio)


class ModelList(Out):
    data: list[Model]


class Versions(_Linked, ModelDetail):
    """Every version of a model, newest first."""

    versions: list[Version]

    @property
    def studio(self) -> str:
        """Return the address of its page in the studio."""
        return f"{self._studio}/models/{quote(self.name)}"

    def __repr__(self) -> str:
        return f"<Versions of {self.name}: {', '.join(version.model for version in self.versions)}>"

    def _repr_html_(self) -> str:
        return "".join(notebook.version(version, self.studio) for version in self.versions)


class Dataset(_Linked, DatasetOut):
    """A dataset, built-in or uploaded."""

    @property
    def studio(self) -> str:
        """Return the address of its page in the studio."""
        return f"{self._studio}/datasets/{quote(self.name)}"

    def __repr__(self) -> str:
        classes = f", {self.classes} classes" if self.classes else ""
        return f"<Dataset {self.name}: {self.size} {self.kind}{classes}>"

    def _repr_html_(self) -> str:
        return notebook.dataset(self, None, self.studio)


class DatasetList(Out):
    data: list[Dataset]


class ReportedDataset(Dataset, DatasetDetail):
    """A dataset with the report of its intake, if it was uploaded."""

    def _repr_html_(self) -> str:
        return notebook.dataset(self, self.report, self.studio)


class Comparison(_Linked, ComparisonOut):
    """A comparison of training jobs."""

    @property
    def studio(self) -> str:
        """Return the address of its page in the studio."""
        return f"{self._studio}/compare?jobs={','.join(job.id for job in self.jobs)}"

    def __repr__(self) -> str:
        ids = ", ".join(job.id for job in self.jobs)
        return f"<Comparison of {ids}: {len(self.differences)} settings differ, {len(self.figures)} figures>"

    def _repr_html_(self) -> str:
        return notebook.comparison(self, self.studio)
