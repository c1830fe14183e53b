"""How far a history's file has reached the database, kept beside it."""

from __future__ import annotations

import hashlib
import uuid
from datetime import datetime
from typing import TYPE_CHECKING, Final, Self

import msgspec

from nbtokens.config import without_password
from nbtokens.history.checkpoint import replace_file

if TYPE_CHECKING:
    from pathlib import Path

    from nbtokens.history.journal import Journal

NAME: Final = "shipped.json"
_WITNESS: Final = 256
_MOST_GENERATIONS: Final = 100


class Progress(msgspec.Struct, omit_defaults=True):
    """What is known of one history and one database.

    Attributes:
        ledger: what the history is called in the database.
        folder: the number of the folder that it lies in: a copy of the history has another, and gets another name.
        database: a hash of the database's URL, without its password, which changes.
        offset: up to where the file's rows are in the database.
        witness: a hash of the bytes around `offset`: a file that was written anew has another.
        marker: the id of the `rewrite` row with which the file began when all of it had been sent; None before that.
        generations: the ids of the `rewrite` rows with which the file has begun, "" for none; the latest hundred.
        claim: the rows may be in the database under another name: this is a copy, or what was kept here is lost.
        last: id and time of the last row that the database took; where it has that no more, a backup was restored.
        shipped: how many rows went there.
        refused: how many the database would not take, by themselves.
        shipped_at: when the last batch came to its end, in ISO 8601.
        problem: why the last attempt failed, in a sentence; None after one that did not.
    """

    ledger: str
    folder: int
    database: str
    offset: int = 0
    witness: str = ""
    marker: str | None = None
    generations: tuple[str, ...] = ()
    claim: bool = False
    last: tuple[str, datetime] | None = None
    shipped: int = 0
    refused: int = 0
    shipped_at: str | None = None
    problem: str | None = None

    @classmethod
    def load(cls, folder: Path, database: str) -> Self:
        """What is kept in a ledger's folder for a database; a beginning where nothing is, or it is of another."""
        here, name = _number_of(folder), without_password(database).encode()
        wanted = hashlib.blake2b(name, digest_size=8).hexdigest()
        try:
            kept = msgspec.json.decode((folder / NAME).read_bytes(), type=cls)
        except (OSError, msgspec.MsgspecError):
            return cls(uuid.uuid4().hex, here, wanted, claim=True)
        if kept.folder != here:
            return cls(uuid.uuid4().hex, here, wanted, claim=True)
        return kept if kept.database == wanted else cls(kept.ledger, here, wanted)

    def save(self, folder: Path) -> None:
        """Keep it. A folder that can't be written is passed over: rows are sent twice then, which changes nothing."""
        try:
            replace_file(folder / NAME, msgspec.json.encode(self))
        except OSError:
            return

    def begin_anew(self, marker: str) -> None:
        """The file is not the one of which `offset` speaks. It was written anew; or an older one took its place.

        An older one has forgotten nothing, and goes by another name from then on: what it lacks stays in the database.

        Args:
            marker: the id of the `rewrite` row with which the file begins; empty where there is none.
        """
        if self.offset and marker in self.generations:
            self.ledger, self.marker, self.claim = uuid.uuid4().hex, None, True
        elif marker not in self.generations:
            self.generations = (*self.generations, marker)[-_MOST_GENERATIONS:]
        self.offset = 0

    def fits(self, journal: Journal) -> bool:
        """Whether the file is still the one of which `offset` speaks."""
        return journal.size() >= self.offset and self.witness == witness_of(journal, self.offset)


def witness_of(journal: Journal, offset: int) -> str:
    """A hash of the file's first bytes and of those before an offset."""
    seen = journal.bytes_before(min(_WITNESS, offset), _WITNESS) + journal.bytes_before(offset, _WITNESS)
    return hashlib.blake2b(seen, digest_size=16).hexdigest()


def records_behind(journal: Journal, progress: Progress) -> int:
    """How many lines of the file have not reached the database. What was written anew counts whole."""
    start = progress.offset if progress.fits(journal) else 0
    try:
        with journal.path.open("rb") as file:
            file.seek(start)
            return sum(part.count(b'{"v":') for part in iter(lambda: file.read(1 << 20), b""))
    except OSError:
        return 0


def _number_of(folder: Path) -> int:
    try:
        return folder.stat().st_ino
    except OSError:
        return 0
