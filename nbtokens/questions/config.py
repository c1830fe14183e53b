"""`config`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

import msgspec

from nbtokens.config import Settings
from nbtokens.context import current_run_id
from nbtokens.questions.asking import Answer
from nbtokens.reports.report import Report, Table
from nbtokens.runtime import runtime

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from nbtokens.views import History

_DEFAULT: Final = "default"
_NO_VALUES: Final[tuple[object, ...]] = (None, {}, [])


class ConfigInForce:
    """Every setting that is in force, and where it comes from."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """There are none."""

    def answer(self, arguments: argparse.Namespace, history: History) -> Answer:  # noqa: ARG002 - a question's way
        """The settings."""
        rows = list(_rows())
        config = runtime().config
        data = {"settings": [{"name": name, "value": value, "from": where} for name, value, where in rows]}
        table = Table("", ("setting", "value", "from"), tuple(rows))
        return Answer(Report("Settings in force", (table, *((config.problem,) if config.problem else ())), data))


def _rows() -> Iterator[tuple[str, str, str]]:
    config = runtime().config
    said = config.settings
    yield "folder", str(config.folder), "NBTOKENS_DIR" if os.environ.get("NBTOKENS_DIR") else "found from here upward"
    file = str(config.source) if config.source is not None else _DEFAULT
    yield "project", config.project, file if said.project else "the folder's name"
    hub = os.environ.get("JUPYTERHUB_USER")
    yield "user", config.user or "(none)", file if said.user else "JUPYTERHUB_USER" if hub else "the login"
    variable = next((one for one in ("NBTOKENS_RUN_ID", "PAPERMILL_RUN_ID") if os.environ.get(one)), None)
    run = current_run_id()
    of_variable = variable is not None and run == os.environ[variable]
    yield "run_id", run or "(none)", str(variable) if of_variable else "nbtokens.run_id" if run else _DEFAULT
    outside = "NBTOKENS_DATABASE" if os.environ.get("NBTOKENS_DATABASE") else file
    yield "database", config.database_shown or "(none)", outside if config.database else _DEFAULT
    for one in msgspec.structs.fields(Settings):
        if one.name not in ("project", "user", "database"):
            yield from _of(one.name, getattr(said, one.name), getattr(Settings(), one.name), file)


def _of(name: str, value: Any, usual: Any, file: str) -> Iterator[tuple[str, str, str]]:  # noqa: ANN401 - settings
    """A row for each value that stands by itself."""
    if isinstance(value, msgspec.Struct) and (isinstance(usual, msgspec.Struct) or usual is None):
        for one in value.__struct_fields__:
            before = getattr(usual, one, None) if usual is not None else None
            yield from _of(f"{name}.{one}", getattr(value, one), before, file)
    elif isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _of(f"{name}.{key}", inner, None, file)
    else:
        shown = "(none)" if value in _NO_VALUES else str(value)
        yield name, shown, _DEFAULT if value == usual else file
