"""Whatever is found in the history's place: nothing is lost, totals stay numbers, one message says what is up."""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Final

import pytest
from ledgers import ROOT

from nbtokens.record import encode
from nbtokens.views import History

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from opened import Opened

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


_APPENDS_ONE = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from nbtokens.history.store import Store
from nbtokens.record import Record

told = []
store = Store(Path(sys.argv[1]), told.append)
store.append(Record(v=1, kind="call", id="new", started_at=datetime.now(UTC)))
store.checkpoint(force=True)
store.write_summary("")
print(store.waiting, store.totals().sums().calls, told)
"""
_OBEYS_PERMISSIONS: Final = ("setpriv", "--bounding-set=-dac_override", "--inh-caps=-dac_override")
_READ_ONLY: Final = (
    "unshare", "-m", "sh", "-c", 'mount --bind . . && mount -o remount,ro,bind . && cd "$PWD" && exec "$@"', "sh",
)  # fmt: skip


def _runs(prefix: tuple[str, ...], folder: Path) -> bool:
    if shutil.which(prefix[0]) is None:
        return False
    return not subprocess.run([*prefix, "true"], cwd=folder, capture_output=True, check=False).returncode


@pytest.mark.parametrize(
    ("prefix", "why"),
    [
        pytest.param(_OBEYS_PERMISSIONS if os.geteuid() == 0 else (), "Permission denied", id="permission"),
        pytest.param(_READ_ONLY, "Read-only file system", id="file system"),
    ],
)
def test_what_may_not_be_written(
    prefix: tuple[str, ...], why: str, path: Path, history: Opened, make_record: Callable[..., Record]
) -> None:
    """Without the permission, or on a read-only file system, calls count from memory, and the user is told once."""
    if prefix and not _runs(prefix, path.parent):
        pytest.skip(f"{prefix[0]} is missing, or may not be used here")
    history.store.append(make_record())
    before = path.read_bytes()
    path.chmod(0o400)
    done = subprocess.run(
        [*prefix, sys.executable, "-c", _APPENDS_ONE, str(path.parent)],
        cwd=path.parent, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.startswith("1 2 "), done.stdout
    assert f"can't be written ({why}). Calls go on" in done.stdout
    assert done.stdout.count("can't be written") == 1
    assert path.read_bytes() == before
    assert [one.name for one in path.parent.iterdir() if one.name.startswith(".usage")] == []


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
