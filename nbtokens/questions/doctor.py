"""`doctor`."""

from __future__ import annotations

import os
import platform
import sys
import tempfile
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, distribution
from typing import TYPE_CHECKING, Any

from nbtokens._version import __version__
from nbtokens.escapes import CLIENTS, SDKS, escapes, installed
from nbtokens.guard import guarded
from nbtokens.history.layout import HEAD_BYTES, is_ours
from nbtokens.questions.asking import Answer
from nbtokens.ranks import ENCODINGS, find_ranks
from nbtokens.reports.doctor import Health, doctor_report
from nbtokens.runtime import runtime
from nbtokens.team.progress import Progress, records_behind
from nbtokens.telemetry.outside import metrics_facts

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator
    from pathlib import Path

    from nbtokens.views import History

_OLD_PRICES = 90


class Doctor:
    """How nbtokens stands here: what is wrong, what goes unseen and what to do, and all that it depends on.

    The command's exit code is 1 where something is wrong. Errors of nbtokens' own and hooked clients are those of
    the process that is asked: `%tokens doctor` tells of the kernel.
    """

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """There are none."""

    def answer(self, arguments: argparse.Namespace, history: History) -> Answer:  # noqa: ARG002 - a question's way
        """Look at everything."""
        health = examine(history)
        return Answer(doctor_report(health), 1 if health.problems else 0)


def examine(history: History) -> Health:
    """How nbtokens stands in this process and this project."""
    here = runtime()
    path, waiting = history.path, here.store.waiting
    obstacle, database, metrics = _obstacle(path), _database(), metrics_facts()
    problems = [
        *(one for one in (obstacle, here.config.problem) if one is not None),
        *([] if obstacle is not None else _of_waiting(waiting, path)),
        *_of_own_errors(guarded.failures),
        *_of_database(database),
        *_of_metrics(metrics),
    ]
    return Health(
        problems=tuple(problems),
        database=database,
        metrics=metrics,
        recording=here.enabled,
        hooked=tuple(sorted(here.hooked())),
        escapes=tuple(escapes()),
        failures=guarded.failures,
        tracebacks=tuple(guarded.last_tracebacks),
        history={
            "path": str(path),
            "writable": obstacle is None,
            "waiting_records": waiting,
            "size_bytes": path.stat().st_size if path.exists() else 0,
        },
        prices=_prices(),
        settings={"file": str(here.config.source) if here.config.source else None, "problem": here.config.problem},
        encodings={name: str(find_ranks(name) or "") or None for name in ENCODINGS},
        versions={
            "python": platform.python_version(),
            "nbtokens": __version__,
            **installed(
                ("ipython", "ipykernel", "jupyterlab", "notebook", *CLIENTS, *SDKS, "genai-prices", "tiktoken")
            ),
        },
        front_end=_front_end(),
    )


def _of_waiting(waiting: int, path: Path) -> Iterator[str]:
    if waiting:
        yield f"{waiting:,} records wait in memory for {path}: another process holds its lock."


def _of_own_errors(failures: int) -> Iterator[str]:
    if failures:
        yield (
            f"nbtokens has swallowed {failures:,} errors of its own; calls may be missing. "
            "Please report the last of them, below."
        )


def _of_database(database: dict[str, Any]) -> Iterator[str]:
    if database.get("last_error") is not None:
        behind = database["records_behind"]
        yield (
            f"The team's database is {behind:,} record{'' if behind == 1 else 's'} behind: {database['last_error']}. "
            "They stay in the history, and are sent once it takes them."
        )
    if refused := database.get("records_refused"):
        what = f"{refused:,} record{'' if refused == 1 else 's'}"
        yield f"The team's database can't hold the values of {what}: its sums are without them."


def _of_metrics(metrics: dict[str, str | None]) -> Iterator[str]:
    if metrics.get("last_error") is not None and installed(("opentelemetry-sdk",)):  # else nobody here has asked for it
        yield f"Metrics do not reach {metrics['sent_to']}: {metrics['last_error']}. Recording goes on without."


def _obstacle(path: Path) -> str | None:
    """Why no record could be written, in a sentence; None where nothing stands in the way."""
    folder = next(one for one in path.parents if one.exists())
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
        if path.exists():
            with path.open("r+b") as file:
                if not is_ours(file.read(HEAD_BYTES)):
                    return f"{path} is not a usage history and is left alone. Move it away, or set NBTOKENS_DIR."
    except OSError as error:
        return f"{path} can't be written: {error.strerror or error}. Make it writable, or set NBTOKENS_DIR."
    return None


def _database() -> dict[str, Any]:
    """How far the team's database is behind; told by what is kept beside the history, without asking it."""
    here = runtime()
    config = here.config
    if config.database is None:
        return {"url": None}
    progress = Progress.load(config.folder, config.database)
    return {
        "url": config.database_shown,
        "records_behind": records_behind(here.store.journal, progress),
        "records_sent": progress.shipped,
        "records_refused": progress.refused,
        "last_sent_at": progress.shipped_at,
        "last_error": progress.problem,
    }


def _prices() -> dict[str, str | int | None]:
    """Which price data there is. It comes with genai-prices, so it is as old as that installation at least."""
    try:
        found = distribution("genai-prices")
    except PackageNotFoundError:
        return {"data": None}
    facts: dict[str, str | int | None] = {"data": f"genai-prices {found.version}"}
    metadata = found.locate_file(f"genai_prices-{found.version}.dist-info/METADATA")
    try:
        at = datetime.fromtimestamp(os.stat(str(metadata)).st_mtime, UTC)  # noqa: PTH116 - no Path in every version
    except OSError:
        return facts
    days = (datetime.now(UTC) - at).days
    facts |= {"installed": at.date().isoformat(), "days_ago": days}
    if days > _OLD_PRICES:
        facts["advice"] = "pip install --upgrade genai-prices"
    return facts


def _front_end() -> str:
    """In what the process runs, as far as it can be told."""
    if "ipykernel" not in sys.modules:
        return "IPython" if "IPython" in sys.modules else "a script or a command"
    if os.environ.get("VSCODE_PID") or os.environ.get("VSCODE_CWD"):
        return "a kernel of VS Code"
    return "a kernel of Jupyter" + (" (JupyterHub)" if os.environ.get("JUPYTERHUB_USER") else "")
