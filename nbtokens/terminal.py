"""The one place where the commands print."""

from __future__ import annotations

import os
import sys
from typing import Final

_BACK_AND_CLEAR: Final = "\r\x1b[K"


def say(text: str = "") -> None:
    """Print a line, or several, at once: what a command says comes between the lines of other processes."""
    print(text, flush=True)  # noqa: T201  # a command's output


def write(text: str) -> None:
    """Print as it is, without a line break."""
    sys.stdout.write(text)


def progress(text: str) -> None:
    """Show `text` in a line that the next text replaces, and an empty one removes; nothing where nobody looks on."""
    if sys.stdout.isatty():
        print(f"{_BACK_AND_CLEAR}{text}", end="", flush=True)  # noqa: T201  # the same


def complain(text: str) -> None:
    """Print one line where errors go."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201  # the same


def forget_output() -> None:
    """Send to nowhere what is still to be printed, so that the interpreter's exit finds no closed pipe."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def replace_unprintable() -> None:
    """Let a terminal that lacks a character show a `?` in its place, and not an exception."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")
