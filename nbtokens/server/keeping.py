"""Records that are posted: kept in the local ledger, each once, from where they go wherever its records go."""

from __future__ import annotations

import threading
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

from nbtokens.errors import HistoryError
from nbtokens.folder import make_folder
from nbtokens.history.archive import Archive
from nbtokens.history.file_lock import LockedFile
from nbtokens.history.follow import Follower
from nbtokens.record import encode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nbtokens.history.store import Store
    from nbtokens.record import Record

_LOCK_WAIT: Final = 10.0
_LOCK_NAME: Final = "posted.lock"


class Keeper:
    """Takes records into a ledger.

    Args:
        store: the ledger.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._keeping = threading.Lock()
        self._known: set[bytes] = set()
        self._follow: Follower | None = None
        self._turn = LockedFile(store.folder / _LOCK_NAME, lambda: make_folder(store.folder), lambda _: None)

    def keep(self, records: Sequence[Record]) -> int:
        """Keep those whose ids are not in the ledger yet, in one write.

        Raises:
            HistoryError: the ledger can't be written. Nothing is kept then.
        """
        try:
            with self._keeping:
                if self._turn.acquire(_LOCK_WAIT) is None:
                    raise HistoryError("Another process takes records in; send the batch again.")
                try:
                    return self._keep(records)
                finally:
                    self._turn.release()
        except OSError as error:
            raise HistoryError(f"The usage history can't be written ({error.strerror or error}).") from error

    def _keep(self, records: Sequence[Record]) -> int:
        self._learn_ids()
        new = {record.id: record for record in reversed(records) if _digest(record.id) not in self._known}
        if new:
            lines = [encode(record) for record in reversed(new.values())]
            if self._store.journal.append(lines, _LOCK_WAIT) is None:
                raise HistoryError("The usage history was locked by another process; send the batch again.")
        return len(new)

    def _learn_ids(self) -> None:
        """The ids of the ledger, each by a few bytes; what is new in the file since the last time is read."""
        if self._follow is None:
            self._follow = Follower(self._store.journal)
            self._known.update(_digest(record.id) for record in Archive(self._store.folder).rows())
        self._known.update(_digest(record.id) for record in self._follow())


def _digest(record_id: str) -> bytes:
    return blake2b(record_id.encode("utf-8", "surrogatepass"), digest_size=12).digest()
