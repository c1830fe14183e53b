"""Totals of the journal and the archive, brought up to date by reading only what is new."""

from __future__ import annotations

import contextlib
from collections import deque
from typing import TYPE_CHECKING, Final

from nbtokens.errors import HistoryError
from nbtokens.history import checkpoint
from nbtokens.history.archive import Archive
from nbtokens.history.blocks import read_blocks
from nbtokens.history.layout import Bad, Line, read_records
from nbtokens.history.totals import RECENT, Totals
from nbtokens.record import Amendment, Record, folded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path
    from typing import BinaryIO

    from nbtokens.history.blocks import Block
    from nbtokens.history.bulk import Bulk
    from nbtokens.history.columns import Columns
    from nbtokens.history.journal import Journal

_CHECKPOINT_EVERY: Final = 2_000
_MOST_WRITTEN: Final = 1_000
_MOST_KNOWN: Final = 2_000
_MANY_BYTES: Final = 1 << 21


class Counted:
    """The totals of everything that is in the files.

    Args:
        journal: the ledger's file.
        folder: the ledger's folder.
        report: told of each line of the journal that is no record.
        tell: told what else is wrong, in words for the user.
    """

    def __init__(
        self, journal: Journal, folder: Path, report: Callable[[Bad], None], tell: Callable[[str], None]
    ) -> None:
        self.totals = Totals()
        self.offset = 0
        self.written: deque[tuple[int, int, list[Record]]] = deque(maxlen=_MOST_WRITTEN)
        """Where this process has put which records, so that it need not read them back."""
        self._journal = journal
        self._folder = folder
        self._report = report
        self._tell = tell
        self._last_bytes = b""
        self._identity: tuple[int, int] | None = None
        self._since_checkpoint = 0
        self._known: dict[str, Record] = {}
        self._known_before: dict[str, Record] = {}
        self._amendments: list[Amendment] = []
        self._amended = False

    def catch_up(self) -> None:
        """Count what is new in the file."""
        self._fit()
        before = self.offset
        try:
            self._count_new()
        except BaseException:  # interrupted: what is counted and what is not can't be told any more
            self._identity = None
            raise
        if self.offset != before or not before:
            self._last_bytes = self._bytes_before(self.offset)

    def _count_new(self) -> None:
        self._count_own()
        size = self._journal.size()
        if size > self.offset:
            self._read(many=size - self.offset > _MANY_BYTES)
        if self._amendments:
            pending, self._amendments = self._amendments, []
            self.amend(self.totals, pending)

    def amendments(self) -> list[Amendment]:
        """The rows of kind `amend` in the file. Where none was counted, only what was not counted yet is read."""
        self._fit()
        found = list(self._journal.amendments(0 if self._amended else self.offset))
        return found if self._journal.identity() == self._identity else list(self._journal.amendments())

    def checkpoint(self, *, force: bool) -> None:
        """Keep the totals beside the file, so that opening it again reads only what came after."""
        if self._since_checkpoint >= (1 if force else _CHECKPOINT_EVERY) and checkpoint.save(
            self._folder, self.totals, self.offset, self._counted_before, amended=self._amended
        ):
            self._since_checkpoint = 0

    def amend(self, totals: Totals, amendments: Iterable[Amendment], waiting: Iterable[Record] = ()) -> None:
        """Count records anew whose price was amended.

        Args:
            totals: what they were counted in.
            amendments: those that were not counted yet, in their order.
            waiting: records that are in no file yet, but counted.
        """
        new = {record.id: record for record in waiting if record.kind != "amend"}
        known = {**self._known_before, **self._known, **new}
        far: list[Amendment] = []
        for amendment in amendments:
            before = known.get(amendment.ref or "")
            if before is None:
                far.append(amendment)
            else:
                after = known[before.id] = folded(before, amendment)
                totals.amend(before, after)
                if totals is self.totals:
                    self._remember([after])
        if far:
            self._amend_far(totals, far)

    def _read(self, *, many: bool) -> None:
        try:
            file = self._journal.path.open("rb", buffering=0)
        except OSError:
            return
        with file:
            if many:
                self._read_many(file)
            else:
                self._count_lines(read_records(file, self.offset, self._report))

    def _read_many(self, file: BinaryIO) -> None:
        from nbtokens.history.bulk import Bulk  # noqa: PLC0415 - numpy, only where there is much to read
        from nbtokens.history.columns import no_collection  # noqa: PLC0415 - the same
        from nbtokens.history.plain import Reader  # noqa: PLC0415 - the same

        bulk, reader = Bulk(self.totals), Reader()
        latest: deque[Block] = deque(maxlen=RECENT)  # each has a call
        with no_collection():
            for block in read_blocks(file, self.offset, self._report):
                count = self._count_columns(reader.read(block), bulk)
                if not count:
                    self._take_latest(latest)
                    self._count_lines(block.lines())
                    continue
                self.offset = block.end
                if count >= RECENT:
                    latest.clear()
                latest.append(block)
            bulk.finish()
        self._remember(self._take_latest(latest))

    def _count_columns(self, columns: Columns | None, bulk: Bulk) -> int:
        """Count rows all at once, and say how many calls are among them; none is counted where that is 0."""
        calls = () if columns is None else columns.where("kind", "call".__eq__)
        if columns is None or not calls or not bulk.add(calls):
            return 0
        self._since_checkpoint += len(calls)
        for record in columns.where("kind", "call".__ne__).records() if len(calls) < len(columns) else ():
            self._count(record)
        return len(calls)

    def _count_lines(self, lines: Iterable[Line]) -> None:
        for record, end in lines:
            self.offset = end
            self._count(record)

    def _take_latest(self, latest: deque[Block]) -> list[Record]:
        calls = [line.record for block in latest for line in block.lines() if line.record.kind == "call"]
        self.totals.recent = [*self.totals.recent, *calls][-RECENT:]
        latest.clear()
        return calls

    def _count_own(self) -> None:
        """Count what this process has written right behind what is counted already, without reading it back."""
        while self.written:
            start, end, records = self.written[0]
            if start > self.offset:  # another process has written in between: the file is read
                return
            self.written.popleft()
            if start == self.offset:
                self.offset = end
                for record in records:
                    self._count(record)

    def _count(self, record: Record) -> None:
        self._since_checkpoint += 1
        if record.kind == "amend":
            self._amendments.append(Amendment.of(record))
            self._amended = True
        else:
            self.totals.add(record)
            self._remember([record])

    def _remember(self, records: list[Record]) -> None:
        if len(self._known) + len(records) > _MOST_KNOWN:
            self._known_before, self._known = self._known, {}
        self._known.update((record.id, record) for record in records)

    def _fit(self) -> None:
        """See to it that what is counted is of the file that is there now."""
        identity = self._journal.identity()
        if identity != self._identity or self._bytes_before(self.offset) != self._last_bytes:
            self._start_over(identity)

    def _start_over(self, identity: tuple[int, int] | None) -> None:
        """Another file, or a shorter one, has the name now: believe a checkpoint that fits it, else read it all."""
        self._identity = identity
        self.written.clear()
        self._known, self._known_before = {}, {}
        self._amendments = []
        kept = checkpoint.load(self._folder, self._bytes_before)
        if kept is None:
            self.totals, self.offset, self._last_bytes = self._archived(), 0, b""
            self._amended = False
        else:
            self.totals, self.offset, self._amended = kept
            self._last_bytes = self._bytes_before(self.offset)

    def _archived(self) -> Totals:
        try:
            return Archive(self._folder).totals()
        except HistoryError as error:
            self._tell(f"{error} Until then the figures leave the archive out.")
            return Totals()

    def _amend_far(self, totals: Totals, amendments: list[Amendment]) -> None:
        """The same for records that were counted long ago: they are looked for in the files, all in one go."""
        from nbtokens.history.plain import columns_in  # noqa: PLC0415 - numpy, only where prices were changed

        last = {amendment.ref: amendment for amendment in amendments}
        new = {amendment.id for amendment in amendments}
        counted = {one.ref: one for one in self._journal.amendments() if one.ref in last and one.id not in new}
        missing = set(last)

        def amend(record: Record) -> None:
            missing.discard(record.id)
            before = folded(record, counted.get(record.id))
            totals.amend(before, folded(before, last[record.id]))

        for columns in columns_in(self._journal.path):
            if not missing.isdisjoint(ids := columns.values("id")):
                for number in [number for number, one in enumerate(ids) if one in missing]:
                    amend(columns.record(number))
        if missing:
            with contextlib.suppress(HistoryError):  # told when the archive's totals were asked for
                for record in Archive(self._folder).find(missing).values():
                    amend(record)

    def _counted_before(self, offset: int) -> bytes:
        """The bytes before it in the file that was counted; none where another one has its name by now."""
        found = self._bytes_before(offset)
        return found if self._journal.identity() == self._identity else b""

    def _bytes_before(self, offset: int) -> bytes:
        return self._journal.bytes_before(offset, checkpoint.WITNESS)
