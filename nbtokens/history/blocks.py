"""The ledger's file in blocks of some hundred lines: reading a million records one by one takes five times as long."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, BinaryIO, Final

from nbtokens.history.layout import AROUND, BOM, HEAD_BYTES, LONGEST, Bad, Line, in_lines, read_records

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_SIZE: Final = 1 << 19  # so that it stays in a processor's cache, with what is made of it


class Block:
    """Some whole lines of the file, not read yet.

    Attributes:
        array: the records as one JSON array, as it seems; empty where they must be read one by one.
        end: the offset in the file of the byte behind the last one.
        closed: whether the array's closing bracket was met.
    """

    def __init__(self, array: bytes, end: int, lines: Callable[[], Iterator[Line]], *, closed: bool = False) -> None:
        self.array = array
        self.end = end
        self.closed = closed
        self._lines = lines

    def lines(self) -> Iterator[Line]:
        """The records one by one, each checked; what is no record is reported."""
        self.closed = self.closed or b"\n]" in self.array
        return self._lines()


def read_blocks(file: BinaryIO, offset: int, report: Callable[[Bad], None]) -> Iterator[Block]:
    """The lines behind `offset`, up to the array's closing bracket. No lock is held.

    A block is to be read, by its `array` or by its `lines`, before the next one is asked for.

    Args:
        file: the file, opened without a buffer or with one.
        offset: behind a record, or 0.
        report: told of each line that is no record, where lines are read one by one.
    """
    if offset == 0 and not in_lines(file.read(HEAD_BYTES)):
        yield Block(b"", 0, lambda: read_records(file, 0, report))
        return
    file.seek(offset)
    start, held = offset, 0
    buffer = bytearray(_SIZE)
    while got := _more(file, buffer, held):
        held += got
        cut = buffer.rfind(b"\n", held - got, held) + 1
        if cut:
            block = _block(buffer, cut, start, report)
            yield block
            if block.closed:
                return
            start, held = start + cut, held - cut
            buffer[:held] = buffer[cut : cut + held]
        elif held > LONGEST:
            break
    yield Block(b"", start, lambda: read_records(file, start, report))


def _more(file: BinaryIO, buffer: bytearray, held: int) -> int:
    """Read on behind what the buffer holds; it grows where a line does not fit."""
    if held > len(buffer) // 2:
        buffer.extend(bytes(len(buffer)))
    with memoryview(buffer) as view, view[held:] as rest:
        return file.readinto(rest)  # type: ignore[attr-defined, no-any-return]


def _block(buffer: bytearray, cut: int, start: int, report: Callable[[Bad], None]) -> Block:
    """The lines that the buffer holds up to an offset."""
    first, last = buffer.find(b"{", 0, cut), buffer.rfind(b"}", 0, cut) + 1
    before, behind = bytes(buffer[: max(first, 0)]), bytes(buffer[last:cut])
    if start == 0:
        before = before.removeprefix(BOM).lstrip(AROUND).removeprefix(b"[")
    if first < 0 or before.strip(AROUND) or behind.strip(AROUND + b"]"):
        text = bytes(buffer[:cut])
        closed = text.startswith(b"]") or b"\n]" in text
        return Block(b"", start + last, lambda: _one_by_one(text, start, report), closed=closed)
    with memoryview(buffer) as view, view[first:last] as records:
        array = b"".join((b"[", records, b"]"))
    return Block(array, start + last, lambda: _one_by_one(array[1:-1], start + first, report), closed=b"]" in behind)


def _one_by_one(text: bytes, start: int, report: Callable[[Bad], None]) -> Iterator[Line]:
    for line in read_records(io.BytesIO(text), 0, lambda bad: report(Bad(start + bad.start, bad.why))):
        yield Line(line.record, start + line.end)
