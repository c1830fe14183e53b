"""`nbtokens run`."""

from __future__ import annotations

import argparse
import concurrent.futures.thread
import runpy
import sys
import threading
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

import nbtokens
from nbtokens.errors import NbtokensError
from nbtokens.questions.in_code import session_report
from nbtokens.reports.as_json import as_json
from nbtokens.terminal import complain

if TYPE_CHECKING:
    from collections.abc import Collection


class Run:
    """Run a Python script and record its calls; with -v, print the token usage report at its end.

    The script runs as `python SCRIPT.py ARGS...` would run it, and the exit code is its own. The report comes
    also where the script fails.
    """

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare -v, --json, the script, and what is the script's own."""
        parser.add_argument("-v", "--verbose", action="store_true", help="print the token usage report at the end")
        parser.add_argument("--json", type=Path, metavar="FILE", help="write the report's figures to a file")
        parser.add_argument("script", type=Path, metavar="SCRIPT.py", help="the script")
        parser.add_argument("arguments", nargs=argparse.REMAINDER, metavar="ARGS", help="its own arguments")

    def run(self, arguments: argparse.Namespace) -> int:
        """Run it."""
        script: Path = arguments.script
        if not script.is_file():
            raise NbtokensError(f"there is no script {script}")
        sys.argv = [str(script), *arguments.arguments]
        sys.path.insert(0, str(script.parent.absolute()))
        before = threading.enumerate()
        nbtokens.enable()
        try:
            return _execute(script)
        finally:
            if arguments.verbose or arguments.json is not None:
                _wait_for_threads(before)
            if arguments.verbose:
                sys.stdout.flush()
                nbtokens.report(detailed=True)
            if arguments.json is not None:
                _write(arguments.json)


def _write(path: Path) -> None:
    """Write the figures of this process's calls, whatever became of the script."""
    try:
        path.write_text(f"{as_json(session_report(detailed=True))}\n", encoding="utf-8")
    except OSError as error:
        raise NbtokensError(f"the report can't be written to {path}: {error.strerror or error}") from error


def _execute(script: Path) -> int:
    """Run a script as the main module; its exit code, as the interpreter would give it."""
    try:
        runpy.run_path(str(script), run_name="__main__")
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        complain(str(end.code))
        return 1
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - whatever ends the script ends it with a traceback and code 1
        frames = error.__traceback__
        while frames is not None and frames.tb_frame.f_code.co_filename != str(script):
            frames = frames.tb_next
        if frames is None and not isinstance(error, SyntaxError):  # which stands before any frame of the script
            frames = error.__traceback__
        traceback.print_exception(type(error), error, frames)
        return 1
    return 0


def _wait_for_threads(before: Collection[threading.Thread]) -> None:
    """Wait for the script's threads, as the interpreter does behind its last line: their calls are its own.

    Workers of an executor that the script left open are not waited for: only the end of the interpreter ends them.
    """
    workers = getattr(concurrent.futures.thread, "_threads_queues", {})
    for thread in threading.enumerate():
        if not (thread.daemon or thread in before or thread in workers):
            thread.join()
