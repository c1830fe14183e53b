"""How records lie in the ledger's file: what is ours, where the last record ends, and reading them one by one.

The layout that we write is one record on each line. A file that an editor or a formatter has saved in its own way
is read and continued all the same.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, BinaryIO, Final, NamedTuple

import msgspec

from nbtokens.record import decode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nbtokens.record import Record

HEAD_BYTES: Final = 1 << 16
LOOK_BACK: Final = 1 << 20
BETWEEN: Final = b",\n"
BOM: Final = b"\xef\xbb\xbf"
_BLANK: Final = b" \t\r\n"
_FIRST_KEYS: Final = {"v", "kind", "id", "started_at"}
_BEGINS_AS_RECORD: Final = re.compile(rb'\{\s*"v"\s*:\s*\d')
_SHORTEST_RECORD: Final = b'{"v":'
_UNDONE: Final = b'}\n]\n"v":'  # a write that failed, whose end was mended, and whose rest could not be cut off
AROUND: Final = _BLANK + b","
_CHUNK: Final = 1 << 20
LONGEST: Final = 1 << 25
UNREADABLE: Final = (msgspec.MsgspecError, RecursionError, UnicodeDecodeError)
_array: Final = msgspec.json.Decoder(list[msgspec.Raw])


class Line(NamedTuple):
    """One record read from the file, and the offset of the byte behind it."""

    record: Record
    end: int


class End(NamedTuple):
    """Where the next record goes.

    Attributes:
        at: the offset.
        before: what goes between.
        torn: what stands there instead, cut off by a crash; it is not ours to throw away.
    """

    at: int
    before: bytes
    torn: bytes = b""


def is_ours(head: bytes) -> bool:
    """Whether a file that begins so is a usage history: blank, or an array that is empty or begins with a record."""
    text = head.removeprefix(BOM).lstrip(_BLANK)
    if not text:
        return True
    if not text.startswith(b"["):
        return False
    inside = text[1:].lstrip(_BLANK)
    if not inside or inside.startswith(b"]"):
        return True
    if _BEGINS_AS_RECORD.match(inside) is None:
        return _SHORTEST_RECORD.startswith(inside)
    try:
        first, _ = json.JSONDecoder().raw_decode(inside.decode("utf-8", "replace"))
    except (ValueError, RecursionError):  # cut off
        return True
    return isinstance(first, dict) and first.keys() >= _FIRST_KEYS


def find_end(read: Callable[[int, int], bytes], size: int) -> End | None:
    """Where the records of a file end whose last bytes are not as we left them; None where none can be found.

    Args:
        read: reads (length, offset) of the file.
        size: the file's size.
    """
    start = max(size - LOOK_BACK, 0)
    data = read(size - start, start)
    closed = data.rstrip(_BLANK)
    if closed.endswith(b"]"):
        body = closed[:-1].rstrip(_BLANK + b",")
        if start == 0 and body.removeprefix(BOM).strip(_BLANK) == b"[":
            return End(len(body), b"\n")
        if _is_record(body[body.rfind(b"\n") + 1 :]) or _is_array(data if start == 0 else read(size, 0)):
            return End(start + len(body), BETWEEN)
    if start == 0 and not data.removeprefix(BOM).strip(_BLANK):
        return End(0, b"[\n")
    return _behind_whole_records(data, start)


def _behind_whole_records(data: bytes, start: int) -> End | None:
    """Behind the last line that is a whole record; what follows it is torn."""
    undone = data.find(_UNDONE)
    if undone >= 0:
        at = undone + 1
        return End(start + at, BETWEEN, data[at:].strip(_BLANK + b",]"))
    cut = len(data)
    while True:
        line_start = data.rfind(b"\n", 0, cut) + 1
        line = data[line_start:cut].rstrip(_BLANK + b",")
        if _is_record(line):
            at = line_start + len(line)
            return End(start + at, BETWEEN, data[at:].strip(_BLANK + b",]"))
        if line_start == 0:
            break
        cut = line_start - 1
    opened = data.removeprefix(BOM).lstrip(_BLANK)
    torn = opened[1:].strip(_BLANK + b",]")
    if start or not opened.startswith(b"[") or b"\n" in torn:
        return None
    return End(len(data) - len(opened) + 1, b"\n", torn)


def _is_record(line: bytes) -> bool:
    try:
        decode(line.strip(_BLANK + b","))
    except UNREADABLE:
        return False
    return True


def _is_array(data: bytes) -> bool:
    try:
        return all(_is_record(bytes(part)) for part in _array.decode(data.removeprefix(BOM)))
    except UNREADABLE:
        return False


class Bad(NamedTuple):
    """A line that is no record: where it begins, and what is wrong with it."""

    start: int
    why: str


def read_records(file: BinaryIO, offset: int, report: Callable[[Bad], None] | None = None) -> Iterator[Line]:
    """The records behind `offset`, in order; lines that are no record are passed over.

    No lock is held: reading ends at the array's closing bracket, for what stands behind it was written since.

    Args:
        file: the file, opened without a buffer or with one.
        offset: behind a record, or 0.
        report: told of each line that is no record, once it is known that nobody is still writing it.
    """
    if offset == 0:
        file.seek(0)
        head = file.read(HEAD_BYTES)
        if not in_lines(head):
            data = head + file.read()
            if _is_array(data):
                yield from _read_array(data)
                return
    bad: list[Bad] = []
    for start, raw in _lines(file, offset):
        text = raw.strip(AROUND)
        if text.startswith(b"{"):
            try:
                records = _records_on(text)
            except UNREADABLE as error:
                bad.append(Bad(start, str(error)))
                continue
            _tell(bad, report)
            end = start + raw.rfind(b"}") + 1
            for record in records:
                yield Line(record, end)
        elif text.startswith(b"]"):
            _tell(bad, report)
            return
        elif text and not (start == 0 and text.removeprefix(BOM).strip() == b"["):
            bad.append(Bad(start, "no JSON object"))


def _tell(bad: list[Bad], report: Callable[[Bad], None] | None) -> None:
    while bad:
        one = bad.pop(0)
        if report is not None:
            report(one)


def _lines(file: BinaryIO, offset: int) -> Iterator[tuple[int, bytes]]:
    """The lines behind an offset, each with where it begins; of one that is too long for a record, its end."""
    file.seek(offset)
    start, passed, rest = offset, 0, b""
    while chunk := file.read(_CHUNK):
        *whole, rest = (rest + chunk).split(b"\n")
        for raw in whole:
            yield start, raw
            start, passed = start + passed + len(raw) + 1, 0
        if len(rest) > LONGEST:
            passed, rest = passed + len(rest), b""
    if rest:
        yield start, rest


def read_texts(file: BinaryIO) -> Iterator[tuple[bytes, Record | None]]:
    """Every line of a file, and the record that it is, or None; for copying it. The brackets are left out."""
    head = file.read(HEAD_BYTES)
    data = b"" if in_lines(head) else head + file.read()
    if data and _is_array(data):
        for part in _array.decode(data.removeprefix(BOM)):
            yield msgspec.json.format(bytes(part), indent=-1), decode(bytes(part))
        return
    for start, raw in _lines(file, 0):
        text = raw.strip(AROUND)
        if start == 0:
            text = text.removeprefix(BOM).removeprefix(b"[").strip(AROUND)
        if not text or text == b"]":
            continue
        try:
            yield text, decode(text)
        except UNREADABLE:
            several = _on_one_line(text)
            yield from several
            if not several:
                yield text, None


def _records_on(text: bytes) -> list[Record]:
    """The records of a line, one as a rule. Raises what `decode` does."""
    try:
        return [decode(text)]
    except UNREADABLE:
        several = [record for _, record in _on_one_line(text)]
        if not several:
            raise
        return several


def _on_one_line(text: bytes) -> list[tuple[bytes, Record]]:
    """The records of a line that holds several, or the closing bracket too; none where any of it is something else."""
    try:
        parts = list(map(bytes, _array.decode(b"[" + text.removesuffix(b"]").rstrip(AROUND) + b"]")))
        return [(part, decode(part)) for part in parts]
    except UNREADABLE:
        return []


def _read_array(data: bytes) -> Iterator[Line]:
    end = len(data.rstrip(_BLANK)[:-1].rstrip(_BLANK + b","))
    for part in _array.decode(data.removeprefix(BOM)):
        yield Line(decode(bytes(part)), end)


def in_lines(head: bytes) -> bool:
    """Whether a file is laid out as we do it, as far as its first record tells."""
    first, _, rest = head.removeprefix(BOM).lstrip(_BLANK).partition(b"\n")
    line = rest.lstrip(_BLANK).partition(b"\n")[0].strip(_BLANK + b",")
    return first.strip() in (b"", b"[") and line != b"{"


def faults(file: BinaryIO) -> Iterator[Bad]:
    """Why a file is no valid JSON though its lines are records: commas and brackets. A reader of ours needs neither."""
    head = file.read(HEAD_BYTES)
    if not in_lines(head) and _is_array(head + file.read()):
        return
    closed, comma, at = not head.strip(_BLANK), True, 0
    for start, raw in _lines(file, 0):
        text = (raw.removeprefix(BOM).lstrip(_BLANK).removeprefix(b"[") if start == 0 else raw).strip(_BLANK)
        if text and closed:
            yield Bad(start, "it stands behind the closing bracket, so nothing from here on counts")
            return
        if text.startswith(b"{") and not comma:
            yield Bad(start, "no comma stands before it")
        closed = text.endswith((b"}]", b"},]")) or text == b"]"
        if closed and (b"," in text[-2:-1] or (text == b"]" and comma and at)):
            yield Bad(start, "a comma stands before the closing bracket")
        if text:
            comma, at = text.endswith(b",") or not text.endswith(b"}"), start
    if not closed:
        yield Bad(at, "the closing bracket is missing behind it, as after a crash; the next record mends that")
