"""Databases for the tests: an SQLite file, and a real PostgreSQL that is started for them."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest
from servers import wait_until

_DEBIAN: Final = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
ABSENT: Final = "PostgreSQL's programs are not installed (Debian's package is called postgresql)"
_SETTINGS: Final = (
    "fsync=off", "max_connections=150", "shared_buffers=256MB", "max_wal_size=4GB", "track_commit_timestamp=on",
)  # fmt: skip


def programs() -> Path | None:
    """The folder of `initdb` and `postgres`; None where they are not installed."""
    if _DEBIAN:
        return _DEBIAN[-1]
    found = shutil.which("initdb")
    return Path(found).parent if found else None


@dataclass
class PostgreSQL:
    """A server on loopback, in a folder of its own, run by an unprivileged user.

    Attributes:
        folder: where everything of it lies.
        port: on which it listens.
    """

    folder: Path
    port: int = field(default_factory=lambda: free_port())  # noqa: PLW0108 - it is defined below
    _process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        found = programs()
        if found is None:
            pytest.skip(ABSENT)
        self._programs = found
        self._run_as = unprivileged(self.folder)
        subprocess.run(
            [self._programs / "initdb", "-D", self.data, "-A", "trust", "-U", "nbtokens", "-E", "UTF8", "--no-sync"],
            check=True,
            capture_output=True,
            cwd=self.folder,
            **self._run_as,
        )

    @property
    def data(self) -> Path:
        """The cluster's files."""
        return self.folder / "data"

    def url(self, name: str = "postgres") -> str:
        """The URL of one of its databases."""
        return f"postgresql+psycopg://nbtokens@127.0.0.1:{self.port}/{name}"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = [f"-c{setting}" for setting in _SETTINGS]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    self._programs / "postgres", "-D", self.data, "-p", str(self.port), "-h", "127.0.0.1",
                    "-k", self.folder, *options,
                ],
                stdout=log, stderr=log, cwd=self.folder, start_new_session=True, **self._run_as,
            )  # fmt: skip
        wait_until(self.answers)

    def answers(self) -> bool:
        """Whether it takes connections."""
        done = subprocess.run(
            [self._programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)], check=False
        )
        return done.returncode == 0

    def kill(self) -> None:
        """End it, and its processes, as a power cut would."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        wait_until(lambda: not self.answers())

    def stop(self) -> None:
        """End it for good."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait()

    def make_database(self, name: str, *options: str) -> str:
        """Make an empty database, by options of `createdb`; returns its URL."""
        subprocess.run(
            [
                self._programs / "createdb", "-h", "127.0.0.1", "-p", str(self.port), "-U", "nbtokens",
                "-T", "template0", *options, name,
            ],
            check=True, capture_output=True,
        )  # fmt: skip
        return self.url(name)


def new_folder() -> Path:
    """A folder that an unprivileged user may enter; pytest's are its own user's alone."""
    return Path(tempfile.mkdtemp(prefix="nbtokens-pg-", dir="/tmp"))


def unprivileged(folder: Path) -> dict[str, int]:
    """As whom servers run that refuse to run as root; the folder becomes theirs."""
    if os.geteuid() != 0:
        return {}
    user = pwd.getpwnam("postgres" if _has_user("postgres") else "nobody")
    os.chown(folder, user.pw_uid, user.pw_gid)
    return {"user": user.pw_uid, "group": user.pw_gid}


def _has_user(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def free_port() -> int:
    """A port on loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
