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

    def __init__(
        self, array: bytearray, end: int, lines: Callable[[], Iterator[Line]], *, closed: bool = False
    ) -> None:
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

    A block that has no array is to be read before the next one is asked for: its lines tell whether there is one.

    Args:
        file: the file, opened without a buffer or with one.
        offset: behind a record, or 0.
        report: told of each line that is no record, where lines are read one by one.
    """
    if offset == 0 and not in_lines(file.read(HEAD_BYTES)):
        yield Block(bytearray(), 0, lambda: read_records(file, 0, report))
        return
    start, size = offset, _SIZE
    while text := _text(file, start, size):
        cut = text.rfind(b"\n") + 1
        if cut:
            del text[cut:]
            block = _block(text, start, report)
            yield block
            if block.closed:
                return
            start, size = start + cut - 1, _SIZE
        elif size < len(text) <= LONGEST:
            size *= 2
        else:
            break
    yield Block(bytearray(), start, lambda: read_records(file, start, report))


def _text(file: BinaryIO, start: int, size: int) -> bytearray:
    """So many bytes of the file, with room for one before them; nothing at its end."""
    text = bytearray(1 + size)
    file.seek(start)
    with memoryview(text) as view, view[1:] as rest:
        got: int = file.readinto(rest)  # type: ignore[attr-defined]
    del text[1 + got if got else 0 :]
    return text


def _block(text: bytearray, start: int, report: Callable[[Bad], None]) -> Block:
    """Some lines, with room for one byte before them: their brackets are put in, for to copy them takes its time."""
    first, last = text.find(b"{"), text.rfind(b"}") + 1
    end, begin = start + max(last - 1, 0), start + first - 1
    before, behind = bytes(text[1 : max(first, 1)]), bytes(text[last:])
    if start == 0:
        before = before.removeprefix(BOM).lstrip(AROUND).removeprefix(b"[")
    if first < 0 or before.strip(AROUND) or behind.strip(AROUND + b"]"):
        lines = bytes(text[1:])
        closed = lines.startswith(b"]") or b"\n]" in lines
        return Block(bytearray(), end, lambda: _one_by_one(lines, start, report), closed=closed)
    text[last:] = b"]"
    del text[: first - 1]
    text[:1] = b"["
    return Block(text, end, lambda: _one_by_one(bytes(text[1:-1]), begin, report), closed=b"]" in behind)


def _one_by_one(text: bytes, start: int, report: Callable[[Bad], None]) -> Iterator[Line]:
    for line in read_records(io.BytesIO(text), 0, lambda bad: report(Bad(start + bad.start, bad.why))):
        yield Line(line.record, start + line.end)
