"""Jupyter's server as a process: where it answers."""

from __future__ import annotations

import json
import socket
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path


def wait_for_server(runtime: Path, process: subprocess.Popen[Any], output: Path) -> dict[str, Any]:
    """What Jupyter writes down about its server, once it listens: it says that it runs, and writes, before it does.

    Args:
        runtime: Jupyter's runtime folder.
        process: the server, or who starts it.
        output: the file that takes what it prints, for the case that it ends.
    """
    while True:
        assert process.poll() is None, output.read_text()
        for path in runtime.glob("jpserver-*.json"):
            with suppress(json.JSONDecodeError, OSError):  # half written, or not listening yet
                server: dict[str, Any] = json.loads(path.read_text())
                socket.create_connection((urlsplit(server["url"]).hostname, server["port"])).close()
                return server
        time.sleep(0.1)
