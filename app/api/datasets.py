"""/datasets: what can be learned from."""

from fastapi import APIRouter

from app.schemas.catalog import DatasetList, DatasetOut
from app.services import datasets
from models.spec.datasets import DATASETS

router = APIRouter(prefix="/datasets", tags=["catalogue"])


@router.get("")
def listed() -> DatasetList:
    return DatasetList(data=[DatasetOut.model_validate(info) for info in DATASETS.values()])


@router.get("/{name}")
def read(name: str) -> DatasetOut:
    return DatasetOut.model_validate(datasets.find(name))
