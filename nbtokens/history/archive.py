"""The archive: months of the history as Parquet files, `archive/year=2026/month=11/part-….parquet`."""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING, Final

import msgspec

from nbtokens.errors import HistoryError
from nbtokens.history.checkpoint import replace_file, sync_folder
from nbtokens.history.totals import Totals, TotalsData
from nbtokens.record import Record, folded

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

FOLDER: Final = "archive"
_JOURNAL: Final = "usage_history.json"
_MANIFEST: Final = "_manifest.json"
_TOTALS: Final = "_totals.json"
_HEAD: Final = 4096
_MARKER: Final = re.compile(rb'\s*\[\s*\{"v":\d+,"kind":"rewrite","id":"([^"]+)"')


class Entry(msgspec.Struct):
    """The files that belong to the journal which begins with a marker.

    Attributes:
        marker: the id of the journal's `rewrite` row; empty for one that was never written anew.
        files: paths below the archive's folder.
    """

    marker: str
    files: list[str]


class _Kept(msgspec.Struct):
    files: list[tuple[str, int]]
    totals: TotalsData


class Archive:
    """The archived rows of a ledger.

    Which files count is said by a manifest, for each journal that they may belong to: the journal is replaced in one
    step, and in that step the files of the new one come into force. A crash before it leaves the old ones.

    Args:
        folder: the ledger's folder.
    """

    def __init__(self, folder: Path) -> None:
        self._ledger = folder
        self.folder = folder / FOLDER

    def names(self) -> list[str]:
        """The files that count, as paths below the archive's folder."""
        entries = self.entries()
        if not entries:
            return []
        marker = marker_of(self._ledger / _JOURNAL)
        return next((entry.files for entry in entries if entry.marker == marker), entries[-1].files)

    def entries(self) -> list[Entry]:
        """What the manifest says; the newest last.

        Raises:
            HistoryError: there are files, but the manifest is missing or can't be read: which of them count?
        """
        manifest = self.folder / _MANIFEST
        try:
            return _entries.decode(manifest.read_bytes())
        except (FileNotFoundError, NotADirectoryError):
            if not self._found():
                return []
            why = "it is missing"
        except (OSError, msgspec.MsgspecError) as error:
            why = str(error)
        raise HistoryError(
            f"{manifest}, which says what is archived, can't be read ({why}). `nbtokens verify --repair` makes it anew."
        )

    def begin(self) -> None:
        """Make the manifest before the first file, so that none is ever there without it."""
        if not self.entries():
            self.keep_entries([])

    def recover(self) -> None:
        """Make the manifest anew where it can't be read: all files that are there count."""
        try:
            self.entries()
        except HistoryError:
            names = [path.relative_to(self.folder).as_posix() for path in self._found()]
            self.keep_entries([Entry(marker_of(self._ledger / _JOURNAL), names)])

    def files(self) -> list[Path]:
        """The files that count."""
        return [self.folder / name for name in self.names()]

    def rows(self, kinds: Collection[str] | None = None) -> Iterator[Record]:
        """The rows, the oldest month first, as they were moved here.

        Raises:
            HistoryError: a file can't be read, or pyarrow is missing.
        """
        files = self.files()
        if files:
            from nbtokens.history import parquet  # noqa: PLC0415 - pyarrow, only where there is an archive

            for path in files:
                yield from (record for record, _ in parquet.read(path, kinds))

    def find(self, ids: Collection[str | None]) -> dict[str | None, Record]:
        """The calls of some ids, amendments that lie in the archive folded in."""
        found: dict[str | None, Record] = {}
        files = self.files()
        if files and ids:
            from nbtokens.history import parquet  # noqa: PLC0415 - the same

            wanted = [one for one in ids if one is not None]
            for path in files:
                found.update((record.id, record) for record, _ in parquet.read(path, ids=wanted))
            for amendment in self.rows(kinds=("amend",)) if found else ():
                if amendment.ref in found:
                    found[amendment.ref] = folded(found[amendment.ref], amendment)
        return found

    def totals(self) -> Totals:
        """The totals of all rows: those that were kept, where they fit the files; else read from these."""
        names = self.names()
        if not names:
            return Totals()
        with contextlib.suppress(OSError, msgspec.MsgspecError):
            kept = _kept.decode((self.folder / _TOTALS).read_bytes())
            if kept.files == self._sizes(names):
                return Totals.from_plain(kept.totals)
        amended = {record.ref: record for record in self.rows(kinds=("amend",))}
        totals = Totals()
        for record in self.rows():
            totals.add(folded(record, amended.get(record.id)))
        self.keep_totals(names, totals)
        return totals

    def keep_totals(self, names: list[str], totals: Totals) -> None:
        """Keep the totals of some files beside them."""
        with contextlib.suppress(OSError):
            replace_file(self.folder / _TOTALS, _encoder.encode(_Kept(self._sizes(names), totals.to_plain())))

    def drop_totals(self) -> None:
        """Remove what was kept so; it is added up again when it is asked for."""
        (self.folder / _TOTALS).unlink(missing_ok=True)

    def keep_entries(self, entries: list[Entry]) -> None:
        """Write the manifest."""
        self.folder.mkdir(mode=0o700, exist_ok=True)
        replace_file(self.folder / _MANIFEST, msgspec.json.encode(entries), durable=True)
        sync_folder(self.folder)

    def remove_strays(self) -> None:
        """Remove files that no entry of the manifest names: what a command left that did not come to its end."""
        named = {self.folder / name for entry in self.entries() for name in entry.files}
        for path in self.folder.glob("year=*/month=*/*part-*.parquet*"):
            if path not in named:
                path.unlink()

    def _found(self) -> list[Path]:
        return sorted(self.folder.glob("year=*/month=*/part-*.parquet"))

    def _sizes(self, names: list[str]) -> list[tuple[str, int]]:
        return [(name, (self.folder / name).stat().st_size) for name in names]


def marker_of(journal: Path) -> str:
    """The id of the `rewrite` row with which a file begins; empty where it does not."""
    try:
        with journal.open("rb") as file:
            found = _MARKER.match(file.read(_HEAD).removeprefix(b"\xef\xbb\xbf"))
    except OSError:
        return ""
    return found[1].decode() if found else ""


_entries: Final = msgspec.json.Decoder(list[Entry])
_kept: Final = msgspec.json.Decoder(_Kept)
_encoder: Final = msgspec.json.Encoder(decimal_format="number")
