"""`export`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from nbtokens.errors import NbtokensError
from nbtokens.history.exporting import FORMATS, as_csv, as_json, to_parquet
from nbtokens.runtime import runtime
from nbtokens.terminal import write

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator


class Export:
    """Write the whole history, the archive included, as CSV, JSON or Parquet.

    Later prices are folded in. In CSV, a text that a spreadsheet would run as a formula gets an apostrophe before it.
    """

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare --format, --json and --output."""
        formats = parser.add_mutually_exclusive_group()
        formats.add_argument("--format", choices=FORMATS, default="csv", help="csv by default")
        formats.add_argument(
            "--json", dest="format", action="store_const", const="json", help="the same as --format json"
        )
        parser.add_argument("--output", "-o", type=Path, metavar="PATH", help="a file; else it is printed")

    def run(self, arguments: argparse.Namespace) -> int:
        """Write it."""
        records = runtime().store.records()
        if arguments.format == "parquet":
            if arguments.output is None:
                raise NbtokensError("a Parquet file can't be printed; name it with --output PATH")
            to_parquet(records, arguments.output)
            return 0
        lines = (as_csv if arguments.format == "csv" else as_json)(records)
        if arguments.output is None:
            for line in lines:
                write(line)
        else:
            _to_file(arguments.output, lines)
        return 0


def _to_file(path: Path, lines: Iterator[str]) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    except OSError as error:
        raise NbtokensError(f"{path} can't be written: {error.strerror}") from error
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
        file.writelines(lines)
