"""A real small language model on this machine: gemma-3-270m in llama.cpp's own server.

The server runs in a process of its own, so that what goes wrong in native code (a processor without the instructions
that it needs, too little memory) is reported here and doesn't take this process with it.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from nbtokens.demo import model_process
from nbtokens.demo.endpoint import Endpoint
from nbtokens.errors import NbtokensError

if TYPE_CHECKING:
    from collections.abc import Iterator

MODEL: Final = "gemma-3-270m"
"""The model's name in requests and responses."""

_SECONDS_TO_STOP = 10.0


class ModelUnavailableError(NbtokensError):
    """This machine can't run the model; the message says why, in one line."""


@contextmanager
def serve() -> Iterator[Endpoint]:
    """Run the model on a free port of 127.0.0.1; it is gone when the block ends, or when this process does.

    The first start puts the model's file together in the user's cache folder (240 MB, some seconds); later ones take
    a second or two.

    Raises:
        ModelUnavailableError: its packages are missing, or it can't be loaded.
    """
    process = subprocess.Popen(  # noqa: S603  # our own interpreter and our own file
        [sys.executable, "-P", model_process.__file__, MODEL],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # what native code says there is not for newcomers; the reason comes over stdout
        start_new_session=True,  # Ctrl-C is for whoever uses the model, who then ends this block
        text=True,
    )
    try:
        yield Endpoint(_address(process), MODEL, simulated=False)
    finally:
        _stop(process)


def _address(process: subprocess.Popen[str]) -> str:
    """Wait for the one line that the model's process writes, and read it."""
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise ModelUnavailableError(f"the model's process ended before it could answer ({_end(process.wait())})")
    said: dict[str, str] = json.loads(line)
    if "error" in said:
        raise ModelUnavailableError(said["error"])
    return said["base_url"]


def _end(code: int) -> str:
    """How a process ended, in words."""
    if code >= 0:
        return f"exit code {code}"
    return signal.strsignal(-code) or f"signal {-code}"


def _stop(process: subprocess.Popen[str]) -> None:
    """End the process in the way it expects, its input closed; else by force."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.close()
    try:
        process.wait(_SECONDS_TO_STOP)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    process.stdout.close()
