"""Sources of pictures to translate: a built-in dataset, an uploaded one, or files of the request.

A sandboxed process decodes untrusted pictures, one after the other and at their own size.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from app.core.limits import MAX_SENT_PICTURES, PICTURE_CPU_S
from app.core.sandbox.parent import Sandbox
from app.core.settings import get_settings
from app.core.store import Store, sha256_of
from app.services.creation.translate import INPUT_FILE
from app.services.datasets import catalog
from app.services.job_spec import Translate
from data.archive import ArchiveIndex, MemberPart
from data.decode import CURRENT_RULES, DecodingRules
from data.levels import to_bits
from data.uploads import read_untrusted
from forger.wire import LABELS_FILE, LEFT_OUT_FILE
from models.errors import JobFailure
from models.spec.data import DataSpec
from models.spec.recipe import Recipe
from worker.runners.inputs import BATCH_WALL_S, load_data

Array = NDArray[Any]
Heartbeat = Callable[[], None]


class CannotTranslate(JobFailure):
    """The pictures have changed, or cannot be written in the requested format. The message says what to do."""

    code = "cannot_translate"


class PictureSource(Protocol):
    """Pictures to translate, by number."""

    names: Sequence[str | None]
    """file name of each translated picture; None: it is numbered"""
    labels: Sequence[int] | None
    class_names: tuple[str, ...]

    def original_name(self, number: int) -> str | None:
        """Return the name of the picture in its archive, None if it has none."""
        ...

    def picture(self, number: int) -> Array:
        """Return a picture [h, w, c] of the model's bits. Raises Invalid, UnsupportedMedia if it is unreadable."""
        ...


@contextmanager
def open_source(spec: Translate, folder: Path, beat: Heartbeat) -> Iterator[PictureSource]:
    """Open the pictures of a job, whose folder is `folder`. Raises CannotTranslate, DatasetMissing."""
    if spec.dataset is None:
        archive = folder / INPUT_FILE
        if not archive.is_file() or sha256_of(archive, beat) != spec.input:
            raise CannotTranslate("The pictures that were sent are missing or damaged. Send them again.")
        with closing(Sandbox(1, readable=(archive,))) as sandbox:
            sent = sandbox.run(
                read_untrusted.members, archive, MAX_SENT_PICTURES, get_settings().max_dataset_unpacked_bytes
            )
            yield ArchivedPictures(archive, sandbox, [MemberPart(name) for name in sent["files"]], spec.recipe)
    elif (files := catalog.files(spec.dataset)) is None:
        yield BuiltInPictures(spec.dataset, spec, beat)
    elif spec.format == "npz":  # only in jobs of older versions, whose pictures all had one size
        raise CannotTranslate("Pictures come back at their own sizes, which one array cannot hold: request zip.")
    else:
        store = Store(get_settings().artifacts)
        for path in (files.archive, files.index):
            if (flaw := store.defect(path.name)) is not None:
                sentence = f"The files of '{spec.dataset}' are missing or damaged (one is {flaw})."
                raise CannotTranslate(f"{sentence} Upload it again under another name.")
        index = ArchiveIndex.from_bytes(files.index.read_bytes())
        domain = int(spec.direction == "b2a" and (len(index.train.domains) > 1 or index.halved))
        parts = [part for part in (index.train, index.held_out) if part is not None]
        picks = [pick for part in parts for pick in index.pictures(part, domain)]
        labels = None if index.train.labels is None else [label for part in parts for label in part.labels or ()]
        with closing(Sandbox(1, readable=(files.archive,))) as sandbox:
            class_names = catalog.find(spec.dataset).info.class_names
            yield ArchivedPictures(files.archive, sandbox, picks, spec.recipe, index.decoding, labels, class_names)


class BuiltInPictures:
    """The pictures of a built-in dataset, all of one size and without file names."""

    def __init__(self, dataset: str, spec: Translate, beat: Heartbeat) -> None:
        data = load_data(own_size_spec(dataset, spec.recipe), "train", beat)
        images = data.images if data.images is not None else data.a if spec.direction == "a2b" else data.b
        assert images is not None
        self.names: Sequence[str | None] = [None] * len(images)
        self.labels: Sequence[int] | None = None if data.labels is None else data.labels.tolist()
        self.class_names = catalog.find(dataset).info.class_names
        self._images = images
        self._bits = spec.recipe.bits

    def original_name(self, number: int) -> str | None:
        return None

    def picture(self, number: int) -> Array:
        return to_bits(np.ascontiguousarray(self._images[number].permute(1, 2, 0).numpy()), self._bits)


def own_size_spec(dataset: str, recipe: Recipe) -> DataSpec:
    """Return a built-in dataset's spec at its own size, in the model's channels."""
    spec = catalog.find(dataset).info.spec()
    return spec.model_copy(update={"channels": recipe.source_channels})


class ArchivedPictures:
    """The members of an untrusted zip."""

    def __init__(
        self,
        archive: Path,
        sandbox: Sandbox,
        picks: Sequence[MemberPart],
        recipe: Recipe,
        decoding: DecodingRules = CURRENT_RULES,
        labels: Sequence[int] | None = None,
        class_names: tuple[str, ...] = (),
    ) -> None:
        self.names: Sequence[str | None] = png_names([pick.name for pick in picks])
        self.labels, self.class_names = labels, class_names
        self._archive, self._sandbox, self._picks = archive, sandbox, picks
        channels, masked = recipe.source_channels, recipe.fills_holes
        self._how = channels, get_settings().max_pixels, masked, replace(decoding, bits=recipe.bits)

    def original_name(self, number: int) -> str | None:
        return self._picks[number].name

    def picture(self, number: int) -> Array:
        picture: Array
        picture, _ = self._sandbox.run(
            read_untrusted.member,
            self._archive,
            self._picks[number],
            *self._how,
            seconds=BATCH_WALL_S,
            cpu_seconds=PICTURE_CPU_S,
        )
        return picture


def png_names(members: Sequence[str]) -> list[str]:
    """Return the members' names with the ending .png, all different, and never the name of a table of the shard.

    Where two would be equal, .png follows the full name: a.png and a.jpg become a.png and a.jpg.png.
    """
    taken, names = set(members) | {LABELS_FILE, LEFT_OUT_FILE}, list[str]()
    for member in members:
        plain = "/".join(read_untrusted.parts_of(member))
        short = str(PurePosixPath(plain).with_suffix(".png"))
        name = short if short == member or short not in taken else f"{plain}.png"
        while name != member and name in taken:
            name += ".png"
        names.append(name)
        taken.add(name)
    return names
