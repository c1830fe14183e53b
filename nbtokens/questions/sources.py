"""Histories by name: a run of this project, a history's file, a folder of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from nbtokens.analysis.validation import FIELDS, validate
from nbtokens.config import METRICS_FOLDER
from nbtokens.errors import NbtokensError
from nbtokens.history.journal import NAME
from nbtokens.history.layout import HEAD_BYTES, is_ours, read_records

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nbtokens.analysis.selection import Selection
    from nbtokens.analysis.validation import Validation
    from nbtokens.history.columns import Columns
    from nbtokens.views import History

_OUR_OWN: Final = frozenset({"totals_checkpoint.json"})


def sources(
    names: list[str],
    history: History,
    which: Selection,
    ask: Callable[[Selection, str], Validation],
) -> Iterator[tuple[str, Validation]]:
    """What the calls of each name say.

    Args:
        names: a run's id, a file, a folder that holds a history or several files of them.
        history: whose runs are meant.
        which: which of the records count.
        ask: what the history's calls say that are selected, by the name that they get.

    Raises:
        NbtokensError: a name is none of these.
    """
    for name in names:
        path = Path(name).expanduser()
        files = list(_files(path))
        if files:
            for file in files:
                label = name if len(files) == 1 else str(file.relative_to(path))
                yield label, validate(which.within(_columns(file)), label)
            continue
        of_run = replace(which, run=name)
        if next(history.columns(of_run, FIELDS), None) is None:
            raise NbtokensError(
                f"{name!r} is no run of {history.path}, no history's file, and no folder that holds one"
            )
        yield name, ask(of_run, name)


def _files(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
    elif path.is_dir():
        own = [path / NAME, path / METRICS_FOLDER / NAME]
        found = next((file for file in own if file.is_file()), None)
        if found is not None:
            yield found
            return
        for file in sorted(path.rglob("*.json")):
            if file.name not in _OUR_OWN and _is_history(file):
                yield file


def _is_history(file: Path) -> bool:
    try:
        with file.open("rb") as opened:
            head = opened.read(HEAD_BYTES)
    except OSError:
        return False
    return bool(head.strip()) and is_ours(head)


def _columns(file: Path) -> Iterator[Columns]:
    from nbtokens.history.columns import columns_of  # noqa: PLC0415 - numpy, only where rows are read

    if not _is_history(file):
        raise NbtokensError(f"{file} is no usage history")
    with file.open("rb") as opened:
        yield from columns_of(line.record for line in read_records(opened, 0))
