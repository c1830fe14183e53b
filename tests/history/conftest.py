"""What the history's tests share: records, a history in a folder of its own, other processes."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from opened import Opened

import nbtokens
from nbtokens.record import VERSION, Record, new_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from nbtokens.history.store import Store

_BEGAN = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)


@pytest.fixture(scope="session")
def make_record() -> Callable[..., Record]:
    """Make a call's record of these fields; each begins a second after the one before it."""
    numbers = itertools.count()

    def make(**fields: Any) -> Record:  # noqa: ANN401 - a record's own types
        usual = {"v": VERSION, "kind": "call", "id": new_id(), "status": "ok"}
        usual["started_at"] = _BEGAN + timedelta(seconds=next(numbers))
        return Record(**{**usual, **fields})

    return make


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The ledger's folder; it does not exist yet."""
    return tmp_path / "project" / ".metrics"


@pytest.fixture
def path(folder: Path) -> Path:
    """The history's file; its folder exists and is empty."""
    folder.mkdir(parents=True)
    return folder / "usage_history.json"


@pytest.fixture
def history(folder: Path) -> Opened:
    return Opened(folder)


@pytest.fixture
def store(history: Opened) -> Store:
    return history.store


@pytest.fixture
def told(history: Opened) -> list[str]:
    """What the store told its user."""
    return history.told


@pytest.fixture
def another_process() -> Callable[..., AbstractContextManager[subprocess.Popen[str]]]:
    """Run a Python script in a process of its own, from when it has said that it is ready; it ends with the block."""

    @contextmanager
    def run(script: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
        command = [sys.executable, "-c", script, *map(str, arguments)]
        environment = {**os.environ, "PYTHONPATH": str(Path(nbtokens.__file__).parents[1])}
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        ) as process:
            try:
                assert process.stdout is not None
                assert process.stdout.readline() == "ready\n"
                yield process
            finally:
                process.kill()

    return run
