"""On a Dask worker that does not see the ledger of whoever submitted: a journal of its own, whose rows are sent home.

Nothing of nbtokens imports this; the plugin of `nbtokens.workers.dask_plugin` names it on the worker. A row is in the
worker's journal before it is sent. What a worker that was killed had not sent, the next one on its machine sends; at
home a row counts once.
"""

from __future__ import annotations

import os
import tempfile
import threading
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from nbtokens.fingerprint import KEY_NAME
from nbtokens.folder import make_folder
from nbtokens.guard import guarded
from nbtokens.history.follow import Follower
from nbtokens.history.journal import NAME as JOURNAL
from nbtokens.history.journal import Journal
from nbtokens.record import encode
from nbtokens.runtime import runtime

if TYPE_CHECKING:
    from collections.abc import Iterator

    from distributed import Worker

    from nbtokens.config import Config

_DIR: Final = "NBTOKENS_DIR"
_MOST_ROWS: Final = 500


class Home:
    """What one worker sends home.

    Args:
        worker: the worker.
        topic: under which home listens.
        session: the session that the rows are of.
    """

    def __init__(self, worker: Worker, topic: str, session: str) -> None:
        self._worker = worker
        self._topic = topic
        self._folder = _base() / session
        self._lock = threading.Lock()
        self._followers: dict[Path, Follower] = {}

    def config_for(self, config: Config, key: bytes) -> Config:
        """Where to record what was submitted with some settings.

        Args:
            config: the settings, with the ledger of whoever submitted.
            key: what that ledger's key file holds: a folder that holds the same is the same.
        """
        named = os.environ.get(_DIR)
        if (named is None or Path(named) == config.folder) and _key_in(config.folder) == key:
            return config
        own = self._folder / str(os.getpid())
        if not own.is_dir():
            make_folder(own)
            (own / KEY_NAME).write_bytes(key)  # like requests have like fingerprints, wherever they are sent
        return replace(config, folder=own, settings=msgspec.structs.replace(config.settings, database=None))

    def send(self) -> None:
        """Send what is new in the journals of this worker, and of those on its machine that have ended."""
        with guarded, self._lock:
            for rows in self._new_rows():
                self._worker.log_event(self._topic, {"rows": rows})

    def send_all(self) -> None:
        """The worker ends: bring everything to disk, and send it."""
        with guarded:
            runtime().settle(at_exit=True)
        self.send()

    def _new_rows(self) -> Iterator[list[bytes]]:
        for path in sorted(self._folder.glob(f"*/{JOURNAL}")):
            if path.parent.name != str(os.getpid()) and _lives(path.parent.name):
                continue
            follower = self._followers.get(path)
            if follower is None:
                follower = self._followers[path] = Follower(Journal(path.parent))
            records = (encode(record) for record in follower())
            while lot := list(islice(records, _MOST_ROWS)):
                yield lot


def _base() -> Path:
    named = os.environ.get(_DIR)
    if named is not None:
        return Path(named).expanduser() / "workers"
    return Path(tempfile.gettempdir()) / f"nbtokens-workers-{os.getuid() if hasattr(os, 'getuid') else 'all'}"


def _key_in(folder: Path) -> bytes | None:
    try:
        return (folder / KEY_NAME).read_bytes()
    except OSError:
        return None


def _lives(pid: str) -> bool:
    if os.name == "nt" or not pid.isdecimal():
        return True
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
