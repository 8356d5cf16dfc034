"""Sources of pictures to translate: a built-in dataset, an uploaded one, or files of the request.

Pictures from strangers are decoded in a process of its own, one after the other and at their own size.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from app.core.limits import READING_CPU_S, SENT_MOST
from app.core.sandbox.parent import Sandbox
from app.core.settings import get_settings
from app.core.store import Store, sha256_of
from app.services.creation.translate import INPUT_FILE
from app.services.datasets import catalog
from app.services.inference import translation
from app.services.job_spec import Translate
from data.archive import ArchiveIndex, MemberPart
from data.decode import CURRENT_READING, Reading
from data.uploads import read_untrusted
from forger.wire import LABELS, LEFT_OUT
from models.errors import JobFailure
from models.spec.data import DataSpec
from models.spec.recipe import Recipe
from worker.runners.inputs import READING_S, load

Array = NDArray[Any]
Beat = Callable[[], None]


class CannotTranslate(JobFailure):
    """The pictures are not what they were, or cannot be written as was asked. The message says what to do."""

    code = "cannot_translate"


class Source(Protocol):
    names: Sequence[str | None]
    """what each picture is called once it is translated; None: by its number"""
    labels: Sequence[int] | None
    class_names: tuple[str, ...]

    def called(self, number: int) -> str | None:
        """What it was called before."""
        ...

    def picture(self, number: int) -> Array:
        """uint8 [h, w, c]. Raises Invalid, UnsupportedMedia where it cannot be translated."""
        ...


@contextmanager
def source_of(spec: Translate, folder: Path, beat: Beat) -> Iterator[Source]:
    """`folder` is the job's own. Raises CannotTranslate, DatasetMissing."""
    if spec.dataset is None:
        archive = folder / INPUT_FILE
        if not archive.is_file() or sha256_of(archive, beat) != spec.input:
            raise CannotTranslate("The pictures that were sent are missing or damaged. Send them again.")
        with closing(Sandbox(1, readable=(archive,))) as sandbox:
            sent = sandbox.run(read_untrusted.members, archive, SENT_MOST, get_settings().max_dataset_unpacked_bytes)
            yield Archived(archive, sandbox, [MemberPart(name) for name in sent["files"]], spec.recipe)
    elif (files := catalog.files(spec.dataset)) is None:
        yield BuiltIn(spec.dataset, spec, beat)
    elif spec.format == "npz":  # as versions allowed that made all pictures of one size
        raise CannotTranslate("Pictures come back at their own sizes, which one array cannot hold: ask for zip.")
    else:
        store = Store(get_settings().artifacts)
        for path in (files.archive, files.index):
            if (how := store.flaw(path.name)) is not None:
                sentence = f"The files of '{spec.dataset}' are missing or damaged (one is {how})."
                raise CannotTranslate(f"{sentence} Upload it again under another name.")
        index = ArchiveIndex.from_bytes(files.index.read_bytes())
        pile = int(spec.direction == "b2a" and (len(index.train.piles) > 1 or index.halved))
        parts = [part for part in (index.train, index.held) if part is not None]
        picks = [pick for part in parts for pick in index.pictures(part, pile)]
        labels = None if index.train.labels is None else [label for part in parts for label in part.labels or ()]
        with closing(Sandbox(1, readable=(files.archive,))) as sandbox:
            class_names = catalog.find(spec.dataset).info.class_names
            yield Archived(files.archive, sandbox, picks, spec.recipe, index.reading, labels, class_names)


class BuiltIn:
    """Of one size, numbered."""

    def __init__(self, dataset: str, spec: Translate, beat: Beat) -> None:
        data = load(data_of(dataset, spec.recipe), "train", beat)
        pile = data.images if data.images is not None else data.a if spec.direction == "a2b" else data.b
        assert pile is not None
        self.names: Sequence[str | None] = [None] * len(pile)
        self.labels: Sequence[int] | None = None if data.labels is None else data.labels.tolist()
        self.class_names = catalog.find(dataset).info.class_names
        self._pile = pile

    def called(self, number: int) -> str | None:
        return None

    def picture(self, number: int) -> Array:
        shown: Array = np.ascontiguousarray(self._pile[number].permute(1, 2, 0).numpy())
        return shown


def data_of(dataset: str, recipe: Recipe) -> DataSpec:
    """Return a built-in dataset's spec at its own size, in the model's channels."""
    spec = catalog.find(dataset).info.spec()
    return spec.model_copy(update={"channels": getattr(recipe.data, "channels", 3)})


class Archived:
    """Members of a zip that a stranger packed."""

    def __init__(
        self,
        archive: Path,
        sandbox: Sandbox,
        picks: Sequence[MemberPart],
        recipe: Recipe,
        reading: Reading = CURRENT_READING,
        labels: Sequence[int] | None = None,
        class_names: tuple[str, ...] = (),
    ) -> None:
        self.names: Sequence[str | None] = as_png([pick.name for pick in picks])
        self.labels, self.class_names = labels, class_names
        self._archive, self._sandbox, self._picks = archive, sandbox, picks
        channels, masked = translation.channels_of(recipe), recipe.fills_holes
        self._how = channels, get_settings().max_pixels, masked, reading

    def called(self, number: int) -> str | None:
        return self._picks[number].name

    def picture(self, number: int) -> Array:
        shown: Array
        shown, _ = self._sandbox.run(
            read_untrusted.member,
            self._archive,
            self._picks[number],
            *self._how,
            seconds=READING_S,
            cpu_seconds=READING_CPU_S,
        )
        return shown


def as_png(members: Sequence[str]) -> list[str]:
    """The members' names ending in .png; whole ones where two would be alike: a.png, and of a.jpg beside it a.jpg.png.

    Never the name of a table that stands beside them.
    """
    taken, names = set(members) | {LABELS, LEFT_OUT}, list[str]()
    for member in members:
        plain = "/".join(read_untrusted.parts_of(member))
        short = str(PurePosixPath(plain).with_suffix(".png"))
        name = short if short == member or short not in taken else f"{plain}.png"
        while name != member and name in taken:
            name += ".png"
        names.append(name)
        taken.add(name)
    return names
