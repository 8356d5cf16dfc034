"""Uploads sent over HTTP and read back as training reads them."""

import itertools
from typing import Any

import pytest
from starlette.testclient import TestClient

from app.core.sandbox.parent import Sandbox
from app.core.settings import get_settings
from app.services.datasets import catalog
from data.readers.builtin import Data, DatasetMissing
from data.readers.uploads import Upload, load_upload
from models.spec.data import Images, Paired, Unpaired
from tests.support.zips import zipped
from worker.runners.inputs import SandboxedReader

Body = dict[str, Any]
Members = dict[str, bytes]
_numbers = itertools.count()


class Uploads:
    """Send zips as datasets, and read them as training does; one sandboxed child reads for all tests."""

    def __init__(self, client: TestClient, sandbox: Sandbox) -> None:
        self._client, self._sandbox = client, sandbox

    def send(self, data: bytes | Members, **fields: str) -> Any:
        """Upload a zip, or a zip of these files, under a new name; return the reply."""
        name = f"d{next(_numbers)}"
        file = data if isinstance(data, bytes) else zipped(data)
        return self._client.post("/datasets", files={"file": ("x.zip", file)}, data={"name": name} | fields)

    def create(self, data: bytes | Members, **fields: str) -> Body:
        """Upload a valid dataset and check that its report agrees with what training reads; return the reply's body."""
        reply = self.send(data, **fields)
        assert reply.status_code == 201, reply.text
        body: Body = reply.json()
        self._check_report(body)
        return body

    def refusal(self, data: bytes | Members, **fields: str) -> str:
        """Upload an invalid dataset; return the sentence that refuses it."""
        reply = self.send(data, **fields)
        assert reply.status_code == 422, reply.text
        detail: str = reply.json()["detail"]
        return detail

    def read(self, body: Body, split: Any = "train") -> Data:
        """Return the tensors of a split."""
        spec, files = catalog.find(body["name"]).info.spec(), catalog.files(body["name"])
        assert files is not None
        assert isinstance(spec, Images | Unpaired | Paired)
        reader = SandboxedReader(self._sandbox)
        upload = Upload(files.archive, files.index, get_settings().prepared, lambda: None, reader)
        return load_upload(spec, upload, split)

    def _check_report(self, body: Body) -> None:
        """Check that the report, the row and the tensors agree."""
        report, train = body["report"], self.read(body)
        piles = [pile for pile in (train.images, train.a, train.b) if pile is not None]
        side, channels = report["transform"]["side"], report["transform"]["channels"]
        assert {tuple(pile.shape[1:]) for pile in piles} == {(channels, side, side)}
        assert (side, channels) == (body["side"], body["channels"])
        assert body["size"] == (sum(map(len, piles)) if body["kind"] == "unpaired" else len(piles[0]))
        if report["transform"]["crop"] != "tiles":
            count = sum(map(len, piles)) if report["layout"] != "side_by_side" else len(piles[0])
            assert report["pictures"] == count
            assert list(report["piles"].values()) == ([len(pile) for pile in piles] if len(piles) == 2 else [])
            if body["classes"]:
                assert train.labels is not None
                counts = train.labels.bincount(minlength=body["classes"]).tolist()
                assert [one["pictures"] for one in report["classes"]["first"]] == counts
        if channels == 3:
            coloured = sum(int((pile != pile[:, :1]).flatten(1).any(dim=1).sum()) for pile in piles)
            assert coloured > 0
        if report["held_out"]:
            test = self.read(body, "test")
            held_out = [pile for pile in (test.images, test.a, test.b) if pile is not None]
            assert {tuple(pile.shape[1:]) for pile in held_out} == {(channels, side, side)}
        else:
            with pytest.raises(DatasetMissing):
                self.read(body, "test")


def notes(body: Body) -> str:
    """Return the notes of the dataset's report as one text."""
    return " ".join(body["report"]["notes"])
