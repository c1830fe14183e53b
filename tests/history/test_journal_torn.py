"""A write that a crash cut off: what is left of it is set aside, and nothing else is lost."""

from __future__ import annotations

import json
import stat
from typing import TYPE_CHECKING

import pytest
from opened import Opened

from nbtokens.history.store import Store
from nbtokens.record import encode

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from nbtokens.record import Record


def _aside(folder: Path) -> list[bytes]:
    return [file.read_bytes() for file in sorted(folder.glob("usage_history.torn-*"))]


def _torn(whole: bytes, cut: int) -> bytes:
    """The file whose last write stopped at `cut`, as where a kernel was killed: its size had grown by then."""
    return whole[:cut]


def _overwritten(whole: bytes, cut: int) -> bytes:
    """The same where of the bracket that stood there before a part was not yet overwritten."""
    at = whole.rindex(b",\n{")
    old = whole[:at] + b"\n]\n"
    return whole[:cut] + old[cut:]


@pytest.mark.parametrize("cut_off", [_torn, _overwritten])
def test_cut_at_every_byte_of_the_last_record(
    cut_off: Callable[[bytes, int], bytes], tmp_path: Path, make_record: Callable[..., Record]
) -> None:
    """Wherever the last record is cut: it is set aside with one notice, those before it stay, and the next is kept."""
    first, second, last, after = (make_record(operation="x}],\n") for _ in range(4))
    whole = b"[\n" + b",\n".join(map(encode, (first, second, last))) + b"\n]\n"
    starts, ends = whole.rindex(b"\n{") + 1, whole.rindex(b"}") + 1
    for cut in range(starts - 2, len(whole)):
        folder = tmp_path / str(cut)
        folder.mkdir()
        history = Opened(folder)
        history.path.write_bytes(cut_off(whole, cut))
        history.store.append(after)
        kept = [first, second, *([last] if cut >= ends else []), after]
        assert history.ids() == [record.id for record in kept], cut
        assert list(history.store.records()) == kept
        lost = [whole[starts:cut].rstrip(b" ,]") + b"\n"] if starts < cut < ends else []
        assert _aside(folder) == lost, cut
        assert len(history.told) == len(lost), cut


@pytest.mark.parametrize("kept", [0, 1, 20])
def test_first_record_cut_off(kept: int, path: Path, history: Opened, make_record: Callable[..., Record]) -> None:
    """A crash in the very first write leaves a file that takes the next record."""
    path.write_bytes(b"[\n" + encode(make_record())[:kept])
    record = make_record()
    history.store.append(record)
    assert history.ids() == [record.id]
    assert len(_aside(path.parent)) == (kept > 0)


def test_notice_says_where_it_is(path: Path, store: Store, told: list[str], make_record: Callable[..., Record]) -> None:
    """The notice names the file, and the one beside it that holds what was cut off."""
    store.append(make_record())
    path.write_bytes(path.read_bytes().removesuffix(b"\n]\n") + b',\n{"v":1,"kind":"ca')
    store.append(make_record())
    [aside] = path.parent.glob("usage_history.torn-*")
    assert aside.read_text() == '{"v":1,"kind":"ca\n'
    assert len(told) == 1
    assert str(path) in told[0]
    assert aside.name in told[0]
    assert stat.S_IMODE(aside.stat().st_mode) == stat.S_IMODE(path.stat().st_mode) == 0o600


def test_zeros_at_the_end(path: Path, history: Opened, make_record: Callable[..., Record]) -> None:
    """After a power cut, a file system may have given the file its new size but none of its bytes."""
    records = [make_record(), make_record()]
    history.store.append(records[0])
    path.write_bytes(path.read_bytes().removesuffix(b"\n]\n") + b",\n" + bytes(600))
    history.store.append(records[1])
    assert history.ids() == [record.id for record in records]


def test_torn_twice_in_a_moment(path: Path, store: Store, make_record: Callable[..., Record]) -> None:
    """What is set aside never replaces what was set aside before it."""
    for number in range(3):
        store.append(make_record())
        path.write_bytes(path.read_bytes().removesuffix(b"\n]\n") + b',\n{"v":%d' % number)
    store.append(make_record())
    assert sorted(_aside(path.parent)) == [b'{"v":0\n', b'{"v":1\n', b'{"v":2\n']


def test_totals_do_not_wait_for_the_mending(
    path: Path, store: Store, told: list[str], make_record: Callable[..., Record]
) -> None:
    """Readers pass over a torn end, and count what is written behind it later; they mend nothing themselves."""
    store.append(make_record())
    torn = path.read_bytes().removesuffix(b"\n]\n") + b',\n{"v":1,"kind":"call","input_tok'
    path.write_bytes(torn)
    reader = Store(path.parent, told.append)
    assert reader.totals().sums().calls == 1
    assert path.read_bytes() == torn
    store.append(make_record())
    assert reader.totals().sums().calls == 2


def test_long_record_torn(path: Path, store: Store, make_record: Callable[..., Record]) -> None:
    """A torn record of hundreds of kilobytes is set aside whole."""
    long = make_record(tags={"long": "x" * 500_000})
    store.append(make_record())
    path.write_bytes(path.read_bytes().removesuffix(b"\n]\n") + b",\n" + encode(long)[:-10])
    store.append(make_record())
    assert _aside(path.parent) == [encode(long)[:-10] + b"\n"]
    assert len(json.loads(path.read_text())) == 2
