"""Which notebook a demo runs, and where its copies go."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from nbtokens.errors import NbtokensError

if TYPE_CHECKING:
    from collections.abc import Iterator

_NAME: Final = "quickstart.ipynb"


@dataclass(frozen=True, slots=True)
class NotebookFile:
    """A notebook to run.

    Attributes:
        source: the file to read; it is never written.
        path: the notebook's place. Its folder is the kernel's working directory, and takes the copies; the history
            names the notebook by it. It is the source itself, except for the tour inside an installed nbtokens.
    """

    source: Path
    path: Path

    def copy(self, word: str) -> Path:
        """The path of the copy that `word` tells from the notebook: `quickstart.executed.ipynb`."""
        return self.path.with_name(f"{self.path.stem}.{word}{self.path.suffix}")


def given_notebook(path: Path) -> NotebookFile:
    """The notebook that the user named.

    Raises:
        NbtokensError: there is no such file.
    """
    if not path.is_file():
        raise NbtokensError(f"there is no notebook at {path}")
    absolute = path.absolute()
    return NotebookFile(source=absolute, path=absolute)


def quickstart(folder: Path) -> NotebookFile:
    """The tour: the project's own `notebooks/quickstart.ipynb`, found upward from `folder`, else the installed one.

    The copies of the installed one land in `folder`.

    Raises:
        NbtokensError: it is in neither place.
    """
    for parent in (folder, *folder.parents):
        candidate = parent / "notebooks" / _NAME
        if _is_the_tour(candidate):
            return NotebookFile(source=candidate, path=candidate)
    for installed in _installed():
        if installed.is_file():
            return NotebookFile(source=installed, path=folder / _NAME)
    raise NbtokensError(f"{_NAME} is not where nbtokens is installed; name a notebook with --notebook PATH")


def _is_the_tour(path: Path) -> bool:
    """Whether `path` is nbtokens' own quickstart: many projects have a notebook of that name."""
    try:
        metadata = json.loads(path.read_text(encoding="utf-8"))["metadata"]
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return "nbtokens" in metadata


def _installed() -> Iterator[Path]:
    here = Path(__file__).parent
    yield here / _NAME  # a wheel holds it here
    yield here.parents[1] / "notebooks" / _NAME  # an editable installation leaves it where it stands


def shown(path: Path) -> str:
    """`path` as it is shortest to read and type from the working directory."""
    try:
        relative = os.path.relpath(path)
    except ValueError:  # another drive
        return str(path)
    return min(relative, str(path), key=len)
