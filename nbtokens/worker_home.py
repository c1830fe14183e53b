"""On a Dask worker: telling whoever submitted a task of its calls, and a journal where their ledger is not seen.

A row is in a journal before it is sent. What a worker that was killed had not sent, the next one on its machine sends;
at home a row counts once.
"""

from __future__ import annotations

import os
import pickle
import tempfile
import threading
from collections import deque
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from nbtokens.context import NOWHERE, Errand, current_run_id
from nbtokens.employers import recording_for
from nbtokens.fingerprint import KEY_NAME
from nbtokens.folder import make_folder
from nbtokens.guard import guarded
from nbtokens.handed_limits import Terms
from nbtokens.history.follow import Follower
from nbtokens.history.journal import NAME as JOURNAL
from nbtokens.history.journal import Journal
from nbtokens.record import encode
from nbtokens.workers.carried import place_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from distributed import Worker

    from nbtokens.config import Config
    from nbtokens.context import Place
    from nbtokens.record import Record
    from nbtokens.runtime import Runtime
    from nbtokens.workers.carried import Parcel

_DIR: Final = "NBTOKENS_DIR"
_MOST_ROWS: Final = 500


class Home:
    """What one worker tells one session.

    Args:
        worker: the worker.
        topic: under which home listens.
        session: the session.

    Attributes:
        topic: under which home listens.
    """

    def __init__(self, worker: Worker, topic: str, session: str) -> None:
        self._worker: Any = worker
        self.topic = topic
        self._session = session
        self._folder = _base() / session
        self._lock = threading.Lock()
        self._followers: dict[Path, Follower] = {}
        self._told: set[str] = set()
        self._outbox: deque[tuple[int | None, bool, bytes | None, bytes]] = deque()
        self._is_due = False
        self._recording: Runtime | None = None
        self._terms_at = 0
        self._is_far = False

    def place_of(self, parcel: Parcel, key: bytes, terms: bytes | None = None) -> Place:
        """Where a task's calls belong, here.

        Args:
            parcel: what came along with it.
            key: what its ledger's key file holds.
            terms: the limits.
        """
        if parcel.is_own:  # the worker is a thread of whoever submitted
            return place_of(parcel.key) or parcel.place or NOWHERE
        config = self.config_for(parcel.config, key, parcel.user)
        recording = self._recording = recording_for(config, parcel.session)
        self._is_far = config.folder != parcel.config.folder
        if self._is_far:
            recording.budgets.team.hear_of(parcel.session)
        self.hear(terms)
        told = _Told(self, parcel.key, is_kept=not self._is_far)

        def forward(place: Place) -> bytes:
            alone = replace(place, scopes=(), entered=None, outer=None, errand=None)
            onward = replace(parcel, place=alone, run_id=current_run_id())
            return pickle.dumps((parcel.session, key, pickle.dumps(onward), terms))

        return replace(
            parcel.place or NOWHERE, scopes=(told,), errand=Errand(parcel.run_id, recording, forward=forward)
        )

    def config_for(self, config: Config, key: bytes, user: str | None = None) -> Config:
        """Where to record what was submitted with some settings.

        Args:
            config: the settings, with the ledger of whoever submitted.
            key: what that ledger's key file holds: a folder that holds the same is the same.
            user: who has submitted it.
        """
        named = os.environ.get(_DIR)
        if (named is None or Path(named) == config.folder) and _key_in(config.folder) == key:
            return config
        own = self._folder / str(os.getpid())
        if not own.is_dir():
            make_folder(own)
            (own / KEY_NAME).write_bytes(key)  # like requests have like fingerprints, wherever they are sent
        settings = msgspec.structs.replace(config.settings, database=None, user=user or config.settings.user)
        return replace(config, folder=own, settings=settings)

    def hear(self, encoded: bytes | None) -> None:
        """Home tells of its limits; what is older than what is known changes nothing."""
        recording = self._recording
        if encoded is None or recording is None or recording.session.id != self._session:
            return
        terms = msgspec.json.decode(encoded, type=Terms)
        if terms.at > self._terms_at:
            self._terms_at = terms.at
            if self._is_far:
                recording.budgets.take_terms(terms, terms.taken.get(self._worker.id))
            else:
                recording.budgets.hold_for(terms.handed, self._session)

    def tell(self, key: int | None, record: Record, before: Record | None = None, *, is_kept: bool) -> None:
        """Tell home of a record, at once; on whatever thread this is, nothing waits for it.

        Args:
            key: of the place that it belongs to.
            record: the record.
            before: what it was, if it has another price now.
            is_kept: it is in home's ledger.
        """
        if not is_kept and before is None and key is not None:
            self._told.add(record.id)
        self._outbox.append((key, is_kept, encode(before) if before is not None else None, encode(record)))
        if not self._is_due:
            self._is_due = True
            self._worker.loop.add_callback(self.send)

    def send(self) -> None:
        """On the worker's loop: put everything into its stream, ahead of whatever comes."""
        with guarded:
            self._is_due = False
            notices = self._notices()
            while self._outbox or notices:
                rows = [self._outbox.popleft() for _ in range(min(len(self._outbox), _MOST_ROWS))]
                self._worker.log_event(self.topic, {"of": self._worker.id, "rows": rows, "notices": notices})
                notices = []

    def _notices(self) -> list[str]:
        """What is to be said to the user, who is there and not here."""
        recording = self._recording
        if recording is None or recording.session.id != self._session or not recording.notices:
            return []
        notices, recording.notices = recording.notices, []
        return notices

    def send_others(self) -> None:
        """Send what is new in this worker's journals and was not sent yet, and those of workers that died here."""
        with guarded, self._lock:
            for record in self._new_records():
                if record.id in self._told:
                    self._told.discard(record.id)
                else:
                    self.tell(None, record, is_kept=False)

    def close(self) -> None:
        """The worker ends, or the session's recording here: bring everything to disk, and send it."""
        with guarded:
            if self._recording is not None:
                self._recording.settle(at_exit=True)
        self.send_others()
        self.send()

    def _new_records(self) -> Iterator[Record]:
        for path in sorted(self._folder.glob(f"*/{JOURNAL}")):
            if path.parent.name != str(os.getpid()) and _lives(path.parent.name):
                continue
            follower = self._followers.get(path)
            if follower is None:
                follower = self._followers[path] = Follower(Journal(path.parent))
            yield from follower()


class _Told:
    """Tells home of what is recorded for a place there."""

    def __init__(self, home: Home, key: int, *, is_kept: bool) -> None:
        self._home = home
        self._key = key
        self._is_kept = is_kept

    def add(self, record: Record) -> None:
        self._home.tell(self._key, record, is_kept=self._is_kept)

    def amend(self, before: Record, after: Record) -> None:
        self._home.tell(self._key, after, before, is_kept=self._is_kept)


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
