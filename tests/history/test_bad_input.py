"""Whatever is found in the history's place: nothing is lost, totals stay numbers, one message says what is up."""

from __future__ import annotations

import json
import math
import os
from typing import TYPE_CHECKING

import pytest
from opened import Opened

from nbtokens.history import counted
from nbtokens.history.store import Store
from nbtokens.record import encode
from nbtokens.views import History

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from nbtokens.record import Record


def _lines(path: Path, *lines: bytes) -> None:
    path.write_bytes(b"[\n" + b",\n".join(lines) + b"\n]\n")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("input_tokens", -1),
        ("output_tokens", 2**60),
        ("total_tokens", 1e300),
        ("cache_read_input_tokens", -5),
        ("reasoning_output_tokens", "many"),
        ("duration_s", -0.5),
        ("duration_s", 1e300),
        ("time_to_first_chunk_s", -1),
        ("cost_usd", -1),
        ("cost_usd", 1e12),
        ("cost_usd", "NaN"),
        ("cost_usd", "Infinity"),
        ("input_cost_usd", "sNaN"),
        ("http_status", 2**70),
        ("started_at", "2026-01-01T00:00:00"),
        ("started_at", "yesterday"),
        ("v", None),
        ("kind", None),
        ("id", 5),
    ],
)
def test_a_number_that_cannot_be(
    field: str, value: object, path: Path, history: Opened, make_record: Callable[..., Record]
) -> None:
    """A line that breaks the bounds counts nowhere and stays in the file; one warning names the file and the line."""
    good = [make_record(input_tokens=5, duration_s=1.0) for _ in range(2)]
    bad = {**json.loads(encode(make_record())), field: value}
    _lines(path, encode(good[0]), json.dumps(bad).encode(), encode(good[1]))
    before = path.read_bytes()
    for _ in range(2):
        sums = history.store.totals().sums()
        assert (sums.calls, sums.input_tokens, sums.duration_s) == (2, 10, 2.0)
        assert math.isfinite(sums.cost_usd)
    assert len(History(history.store).frame()) == 2
    assert path.read_bytes() == before
    [told] = history.told
    assert told.startswith(f"Line 3 of {path} is no record")
    history.store.append(make_record(input_tokens=1))
    assert len(json.loads(path.read_bytes())) == 4
    assert history.store.totals().sums().input_tokens == 11
    assert len(history.told) == 1


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity"])
def test_numbers_that_are_no_json(text: str, path: Path, history: Opened, make_record: Callable[..., Record]) -> None:
    """NaN and Infinity, which Python writes and JSON does not know, are passed over like any other bad number."""
    good, bad = (
        make_record(cost_usd=None, input_tokens=5),
        encode(make_record(duration_s=7.5)).replace(b"7.5", text.encode()),
    )
    _lines(path, bad, encode(good))
    assert history.store.totals().sums().input_tokens == 5
    assert f"Line 2 of {path}" in history.told[0]


def test_many_bad_lines_are_one_warning(path: Path, history: Opened, make_record: Callable[..., Record]) -> None:
    """A hundred bad lines are told once, not a hundred times."""
    _lines(path, *([b'{"a":1}'] * 100), encode(make_record()))
    path.write_bytes(path.read_bytes().replace(b"[\n", b"[\n" + encode(make_record()) + b",\n", 1))
    assert history.store.totals().sums().calls == 2
    assert len(history.told) == 1
    assert f"Line 3 of {path}" in history.told[0]


def test_merge_conflict(path: Path, history: Opened, make_record: Callable[..., Record]) -> None:
    """The records on both sides of a merge conflict count, the markers are named, and appending goes on."""
    records = [make_record(input_tokens=1) for _ in range(4)]
    lines = [encode(record).decode() for record in records]
    path.write_text(
        f"[\n{lines[0]},\n<<<<<<< HEAD\n{lines[1]}\n=======\n{lines[2]}\n>>>>>>> theirs\n]\n", encoding="utf-8"
    )
    assert history.store.totals().sums().calls == 3
    assert "Line 3" in history.told[0]
    history.store.append(records[3])
    assert [record.id for record in history.store.records()] == [record.id for record in records]
    assert history.store.totals().sums().calls == 4


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_what_windows_editors_leave(
    mark: bytes, end: str, path: Path, history: Opened, make_record: Callable[..., Record]
) -> None:
    """A byte order mark and CRLF are no obstacle to reading or to writing on."""
    records = [make_record(input_tokens=1) for _ in range(3)]
    text = end.join(["[", ",".join([encode(records[0]).decode(), end + encode(records[1]).decode()]), "]", ""])
    path.write_bytes(mark + text.encode())
    history.store.append(records[2])
    assert history.store.totals().sums().calls == 3
    assert json.loads(path.read_bytes().decode("utf-8-sig"))[2]["id"] == records[2].id
    assert history.told == []


def test_older_versions_are_read(path: Path, history: Opened, make_record: Callable[..., Record]) -> None:
    """A row of a version before the first public one is read as far as it goes."""
    old = {**json.loads(encode(make_record(input_tokens=3))), "v": 0, "prompt_tokens": 3}
    _lines(path, json.dumps(old, separators=(",", ":")).encode())
    history.store.append(make_record(input_tokens=4))
    assert history.store.totals().sums().input_tokens == 7


def test_a_symbolic_link(tmp_path: Path, path: Path, history: Opened, make_record: Callable[..., Record]) -> None:
    """A link in the file's place is followed, for reading and for writing, and stays a link."""
    target = tmp_path / "elsewhere.json"
    path.symlink_to(target)
    for _ in range(2):
        history.store.append(make_record())
    assert path.is_symlink()
    assert len(json.loads(target.read_bytes())) == 2
    assert history.store.totals().sums().calls == 2


def test_a_link_to_what_is_not_ours(
    tmp_path: Path, path: Path, history: Opened, make_record: Callable[..., Record]
) -> None:
    """What a link leads to is not touched where it is no history."""
    target = tmp_path / "letter.txt"
    target.write_text("Dear Ada")
    path.symlink_to(target)
    history.store.append(make_record())
    assert target.read_text() == "Dear Ada"
    assert "is not a usage history" in history.told[0]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_no_permission(path: Path, history: Opened, make_record: Callable[..., Record]) -> None:
    """Where the file may not be written, calls count from memory, and the user is told."""
    history.store.append(make_record())
    path.chmod(0o400)
    other = Opened(path.parent)
    other.store.append(make_record())
    assert other.store.totals().sums().calls == 2
    assert "can't be written" in other.told[0]


def test_two_gigabytes(path: Path, history: Opened, make_record: Callable[..., Record]) -> None:
    """A file beyond 2 GB takes a record at its end, at once, and what lies there is found."""
    first, last, new = make_record(), make_record(), make_record()
    with path.open("wb") as file:
        file.write(b"[\n" + encode(first) + b",\n")
        file.seek(2**31 + 5000)  # a hole: it takes no room on the disk
        file.write(b"\n" + encode(last) + b"\n]\n")
    history.store.append(new)
    assert path.stat().st_size > 2**31
    tail = history.store.journal.bytes_before(path.stat().st_size, 5000)
    assert tail.endswith(encode(last) + b",\n" + encode(new) + b"\n]\n")
    assert [line.record.id for line in history.store.journal.read(2**31 + 5000)] == [last.id, new.id]


@pytest.mark.parametrize("kind", ["cache_hit", "amend", "run", "something new"])
def test_read_at_once_is_as_read_one_by_one(
    kind: str, path: Path, make_record: Callable[..., Record], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many records that are counted at once make the same totals as counted one by one, whatever stands between."""
    records = [
        make_record(
            model=f"m{number % 3}" if number % 7 else None,
            request_model="asked",
            operation=(None, "a", "b")[number % 3],
            status="error" if number % 5 == 0 else "ok",
            input_tokens=number if number % 4 else None,
            output_tokens=number % 50,
            total_tokens=number + number % 50,
            duration_s=number / 7 if number % 6 else None,
            usage_source="estimated" if number % 9 == 0 else "reported",
            complete=number % 8 != 0,
        )
        for number in range(1, 3000)
    ]
    records[100] = make_record(kind=kind, ref=records[50].id, input_tokens=3)
    bad = b'{"v":1,"kind":"call","id":"x","started_at":"2026-01-01T00:00:00Z","input_tokens":-1}'
    _lines(path, *map(encode, records[:1500]), bad, *map(encode, records[1500:]))
    monkeypatch.setattr(counted, "_MANY_BYTES", 0)
    at_once = Store(path.parent, print).totals()
    monkeypatch.setattr(counted, "_MANY_BYTES", 10**12)
    one_by_one = Store(path.parent, print).totals()
    assert at_once.rows.keys() == one_by_one.rows.keys()
    for key, sums in one_by_one.rows.items():
        row = at_once.rows[key]
        assert (row.duration_s, row.timed_s) == pytest.approx((sums.duration_s, sums.timed_s))
        row.duration_s, row.timed_s = sums.duration_s, sums.timed_s
        assert row == sums
    assert at_once.recent == one_by_one.recent
    for name, figures in one_by_one.stats().items():
        found = at_once.stats()[name]
        assert {key: value for key, value in found.items() if value is not None} == pytest.approx(
            {key: value for key, value in figures.items() if value is not None}, rel=0.03
        ), name
