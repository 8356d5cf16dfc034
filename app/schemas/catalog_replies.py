"""Build the replies of /models, /datasets and /recipes from what services return."""

from collections.abc import Sequence

from app.core.settings import link
from app.schemas.job_replies import recipe_json
from app.services.datasets.catalog import CatalogEntry
from app.services.views import VersionView
from forger.schemas.base import Health, Json
from forger.schemas.catalog import DatasetDetail, DatasetOut, RecipeOut, VersionOut
from forger.schemas.dataset_report import Report
from models.spec.families import Dial, Family
from models.spec.recipe import Recipe


def version_out(version: VersionView) -> VersionOut:
    return VersionOut(
        model=version.reference,
        name=version.name,
        version=version.version,
        game=version.recipe.game.kind,
        dataset=version.recipe.data.dataset,
        classes=version.recipe.classes,
        step=version.step,
        job=version.job_id,
        export_sha256=version.export_sha256,
        card=version.card,
        health=version.health and Health.model_validate(version.health),
        created_at=version.created_at,
        recipe=recipe_json(version.recipe),
    )


def dataset_detail(detail: CatalogEntry) -> DatasetDetail:
    links = {"self": link(f"/datasets/{detail.info.name}")}
    if detail.sheet_sha256 is not None:
        links["sheet"] = f"{links['self']}/sheet"
    fields = DatasetOut.model_validate(detail.info)
    report = detail.report and Report.model_validate(detail.report)
    return DatasetDetail(**dict(fields), report=report, links=links)


def recipe_out(family: Family, schema: Json, defaults: Recipe, dials: Sequence[Dial]) -> RecipeOut:
    fields = {name: getattr(family, name) for name in ("name", "title", "use", "paper", "game", "conditional")}
    return RecipeOut.model_validate({**fields, "schema": schema, "defaults": recipe_json(defaults), "dials": dials})
