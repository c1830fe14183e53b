"""Rows as we write them, read by the column.

What a row must be is said by `Record` alone. The fast reading knows only rows that are as we write them; a block that
holds any other goes to the reading that looks at each line.
"""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, Literal, Self, get_type_hints

import msgspec
import numpy as np

from nbtokens.history.blocks import read_blocks
from nbtokens.history.columns import MOST_PICO, PICO, Columns, columns_of
from nbtokens.history.layout import UNREADABLE
from nbtokens.record import FIELDS, MONEY, MOST_USD, Record, decode

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from collections.abc import Set as AbstractSet
    from pathlib import Path

    from numpy.typing import NDArray

    from nbtokens.history.blocks import Block
    from nbtokens.history.columns import Floats
    from nbtokens.record import Amendment

_SHORT: Final = 20
_LONG: Final = 27
_LEAST: Final = np.frombuffer(b"0000-00-00T00:00:00.000000Z", np.uint8)
_MOST: Final = np.frombuffer(b"9999-19-39T29:59:59.999999Z", np.uint8)
_TENS: Final = np.array([0, 2, 5, 8, 11, 14, 17, 20, 22, 24])
_HOUR: Final = 4
_MOST_HOURS: Final = 23
_WORTH: Final = np.zeros((10, 2))
"""What every two digits are worth in a number for the day, and in microseconds."""
_WORTH[:4, 0] = (1e6, 1e4, 100, 1)
_WORTH[4:, 1] = (3.6e9, 6e7, 1e6, 1e4, 100, 1)
_CALENDAR_BEGINS: Final = np.datetime64("0001-01-01", "us")
_EXACT_LENGTH: Final = 16
_COMMA: Final = ord(",")
_NEW_LINE: Final = ord("\n")
_BETWEEN: Final = int.from_bytes(b"},\n{", "little")
_NULL: Final = b"null"
_MONEY: Final = frozenset(MONEY)
_MOST_MISSES: Final = 16
_MOST_NAMES: Final = 4096
_REQUIRED: Final = frozenset({"v", "kind", "id", "started_at"})
_REPEATING: Final = (
    "kind", "project", "host", "user", "session", "run_id", "notebook", "cell", "attribution", "operation", "call_type",
    "api", "provider", "server_address", "request_model", "model", "service_tier", "finish_reason", "usage_source",
    "status", "price_source",
)  # fmt: skip
_floats_decoder: Final = msgspec.json.Decoder(list[float | None])
_amounts_decoder: Final = msgspec.json.Decoder(list[Decimal | None])
_times_decoder: Final = msgspec.json.Decoder(list[datetime])


class _PlainColumns(Columns):
    """Rows as we write them. Their money is text, and their times are an array already."""

    def __init__(self, rows: Sequence[Any], times: NDArray[np.datetime64] | None = None) -> None:
        super().__init__(rows)
        self._times = _moments(self._column("started_at")) if times is None else times
        self._money: dict[str, _Money | None] = {}

    def knows(self, name: str) -> bool:
        return bool(self._rows) and name in self._rows[0].__struct_fields__

    def values(self, name: str) -> list[Any]:
        if name == "started_at":
            return _times_decoder.decode(msgspec.json.encode(super().values(name)))
        if name in _MONEY:
            money = self.money(name)
            return [None] * len(self) if money is None else _amounts_decoder.decode(money.text)
        return super().values(name)

    def floats(self, name: str) -> Floats:
        if not self.knows(name):
            return np.full(len(self), np.nan)
        if name in _MONEY:
            money = self.money(name)
            return np.full(len(self), np.nan) if money is None else money.floats
        return super().floats(name)

    def times(self) -> NDArray[np.datetime64]:
        return self._times

    def picos(self, name: str) -> NDArray[np.int64] | None:
        money = self.money(name)
        return np.zeros(len(self), np.int64) if money is None else money.picos()

    def record(self, number: int) -> Record:
        return decode(msgspec.json.encode(self._rows[number]))

    def only(self, numbers: Sequence[int]) -> Self:
        if len(numbers) == len(self):
            return self
        return type(self)([self._rows[number] for number in numbers], self._times[numbers])

    def fold(self, amended: Mapping[str | None, Amendment]) -> Columns:
        if not amended or amended.keys().isdisjoint(self.values("id")):
            return self
        return Columns(list(self.records())).fold(amended)

    def money(self, name: str) -> _Money | None:
        """A column of money; None where all of it is not known."""
        if not self.knows(name):
            return None
        if name not in self._money:
            texts = super().values(name)
            self._money[name] = None if texts.count(None) == len(texts) else _Money(texts)
        return self._money[name]


class _Money:
    """A column of money as it is written.

    Raises:
        msgspec.MsgspecError: it holds something else.
    """

    def __init__(self, texts: list[msgspec.Raw | None]) -> None:
        known = [_NULL if text is None else text for text in texts] if None in texts else texts
        self.text = b"".join((b"[", b",".join(known), b"]"))  # type: ignore[arg-type]
        self.floats: Floats = np.array(_floats_decoder.decode(self.text), np.float64)

    def is_sound(self) -> bool:
        """Whether all of it is clearly what money can be."""
        least_is_a_minus = b",-" in self.text or self.text.startswith(b"[-")
        return not least_is_a_minus and bool((np.isnan(self.floats) | (self.floats < float(MOST_USD))).all())

    def picos(self) -> NDArray[np.int64] | None:
        """The same in units of 1 / PICO USD; None where that is not exact.

        A number of 15 digits at most is told by the float that is next to it. So if the whole number of units has no
        more, and leads to the same float, it is the same number.
        """
        commas = np.flatnonzero(np.frombuffer(b"," + self.text[1:-1] + b",", np.uint8) == _COMMA)
        if np.diff(commas).max() - 1 > _EXACT_LENGTH:
            return None
        floats: Floats = np.where(np.isnan(self.floats), 0.0, self.floats)
        units = np.rint(floats * PICO)
        if (units > MOST_PICO).any() or (units / PICO != floats).any():
            return None
        return units.astype(np.int64)


class Reader:
    """Reads blocks of a file, one after the other.

    Rows hold few of the fields that there are, and most texts in them are one of a few names. The decoder is told
    which were seen: it makes no place for other fields, and gives the same text again instead of making a new one.
    What it does not know yet it refuses, and learns.

    Args:
        wanted: the fields that are asked for; the others are passed over, whatever they hold. By default all.
    """

    def __init__(self, wanted: AbstractSet[str] | None = None) -> None:
        self._wanted = wanted
        self._fields = set(_REQUIRED) | (wanted or set())
        self._names: dict[str, set[str]] = {name: set() for name in _REPEATING if wanted is None or name in wanted}
        self._misses: Counter[str] = Counter()
        self._any = _decoder_of(frozenset(FIELDS), {}, strict=False)
        self._decoder: msgspec.json.Decoder[list[Any]] | None = None

    def columns(self, block: Block) -> Iterator[Columns]:
        """The rows of a block. Who lets those of the one before go first has them a fifth faster: in warm memory."""
        columns = self.read(block)
        if columns is None:
            yield from columns_of(line.record for line in block.lines())
        else:
            yield columns

    def read(self, block: Block) -> Columns | None:
        """The rows of a block, read at once; None where any of them is not as we write them."""
        try:
            rows = self._rows(block.array)
            if not _is_one_a_line(block.array, len(rows)):
                return None
            columns = _PlainColumns(rows)
            money = [columns.money(name) for name in _MONEY]
        except (*UNREADABLE, ValueError):
            return None
        return columns if all(one is None or one.is_sound() for one in money) else None

    def _rows(self, array: bytearray) -> list[Any]:
        if self._decoder is not None:
            with suppress(msgspec.ValidationError):  # a new field or name, or no record
                return self._decoder.decode(array)
        rows = self._any.decode(array)
        self._learn(rows)
        return rows

    def _learn(self, rows: list[Any]) -> None:
        columns = dict(zip(FIELDS, zip(*map(msgspec.structs.astuple, rows), strict=True), strict=True))
        fields = {name for name, values in columns.items() if values.count(None) < len(values)} - self._fields
        self._fields |= fields if self._wanted is None else set()
        for name, known in list(self._names.items()):
            new = set(columns[name]) - known - {None}
            known.update(new)
            fields |= new
            self._misses[name] += bool(new)
            if self._misses[name] > _MOST_MISSES or len(known) > _MOST_NAMES:  # a new one in every other block
                del self._names[name]
        if not fields and self._wanted is None:  # so it is a field that nobody knows
            self._fields = set(FIELDS)
        strict = self._wanted is None and self._fields < set(FIELDS)
        self._decoder = _decoder_of(self._fields, self._names, strict=strict)


def _decoder_of(
    fields: AbstractSet[str], names: Mapping[str, Iterable[str]], *, strict: bool
) -> msgspec.json.Decoder[list[Any]]:
    """Reads rows as `Record` says, but leaves their money and times as they are written.

    Args:
        fields: those that may occur.
        names: of some fields, all values that they may have.
        strict: refuse rows with other fields.
    """
    hints = get_type_hints(Record, include_extras=True)
    hints |= {"started_at": str, **dict.fromkeys(MONEY, msgspec.Raw)}
    for name, known in names.items():
        if known:
            hints[name] = Literal[*known] | None
    held = [(name, hint) if name in _REQUIRED else (name, hint, None) for name, hint in hints.items() if name in fields]
    row = msgspec.defstruct(
        "_Row", held, namespace=dict.fromkeys(set(FIELDS) - fields), kw_only=True, omit_defaults=True,
        forbid_unknown_fields=strict, gc=False,
    )  # fmt: skip
    return msgspec.json.Decoder(list[row])  # type: ignore[valid-type]


def columns_in(journal: Path, wanted: AbstractSet[str] | None = None) -> Iterator[Columns]:
    """The rows of a ledger's file as they stand in it, of all kinds, amendments not folded in.

    Args:
        journal: the file; nothing comes of one that can't be read.
        wanted: the fields that are asked for; by default all.
    """
    try:
        file = journal.open("rb", buffering=0)
    except OSError:
        return
    reader = Reader(wanted)
    with file:
        for block in read_blocks(file, 0, lambda _: None):
            yield from reader.columns(block)


def _is_one_a_line(array: bytearray, count: int) -> bool:
    """Whether lines end where records do."""
    ends = np.flatnonzero(np.frombuffer(array, np.uint8) == _NEW_LINE)
    fours = np.ndarray(len(array) - 3, "<u4", array, strides=1)  # those that begin at each byte
    return len(ends) == count - 1 and bool((fours[ends - 2] == _BETWEEN).all())


def _moments(texts: Sequence[str]) -> NDArray[np.datetime64]:
    """Times as we write them: `2026-11-20T09:30:00.123456Z`, or without the fraction where that is 0.

    Raises:
        ValueError: one of them is written in another way, or is no time.
    """
    joined = "".join([text if len(text) == _LONG else _with_fraction(text) for text in texts]).encode()
    digits = np.frombuffer(joined, np.uint8).reshape(len(texts), _LONG) - _LEAST
    pairs = digits[:, _TENS] * 10 + digits[:, _TENS + 1]
    if (digits > _MOST - _LEAST).any() or (pairs[:, _HOUR] > _MOST_HOURS).any():
        raise ValueError
    days, microseconds = (pairs @ _WORTH).T
    is_other_day = np.concatenate(([True], days[1:] != days[:-1]))
    midnights = np.frombuffer(joined, f"S{_LONG}")[is_other_day].astype("S10").astype("datetime64[us]")
    if (midnights < _CALENDAR_BEGINS).any():
        raise ValueError
    times: NDArray[np.datetime64] = midnights[np.cumsum(is_other_day) - 1]
    times += microseconds.astype("timedelta64[us]")
    return times


def _with_fraction(text: str) -> str:
    if len(text) != _SHORT:
        raise ValueError
    return f"{text[:-1]}.000000{text[-1]}"
