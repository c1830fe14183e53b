"""Processes that are killed, and disks that fail, while they write: what was acknowledged is in the file, once."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from functools import cache
from typing import TYPE_CHECKING

import pytest
from ledgers import ROOT

from nbtokens.history.journal import Journal

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from opened import Opened

    from nbtokens.record import Record

_APPENDS_ON_A_BAD_DISK = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from nbtokens.history.store import Store
from nbtokens.record import Record

store = Store(Path(sys.argv[1]), lambda told: print(told, file=sys.stderr), durable=True)
for number in range(40):
    store.append(Record(v=1, kind="call", id=str(number), started_at=datetime.now(UTC), input_tokens=1))
for _ in range(40):
    store.flush()
print(store.waiting, store.totals().sums().calls)
"""


@pytest.mark.parametrize(
    ("what", "times", "other", "expected"),
    [("--kills", 40, "--rewrites", "of who appends"), ("--rewrites", 12, "--kills", "of who writes anew")],
)
def test_killed_at_any_moment(what: str, times: int, other: str, expected: str) -> None:
    """A process that appends or writes the history anew is killed again and again, while another one appends.

    No row that was acknowledged is lost, and none is there twice.
    """
    script = [sys.executable, str(ROOT / "benchmarks" / "crashes.py"), what, str(times), other, "0"]
    done = subprocess.run(
        script, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{times} x kill -9 {expected}" in done.stdout


@cache
def _may_inject() -> bool:
    """Whether strace is there, and may make system calls fail."""
    if shutil.which("strace") is None:
        return False
    command = ["strace", "-qq", "-o", "/dev/null", "-e", "inject=getppid:error=EIO", "true"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize(
    "fault",
    [
        "pwrite64:error=ENOSPC:when=3+4",
        "pwrite64:error=EIO:when=2+3",
        "pwrite64:error=EIO:when=1+3",
        "pwrite64:retval=7:when=2+3",
        "pwrite64:retval=1:when=1+2",
        "fsync:error=EIO:when=2+3",
        "fsync:error=ENOSPC:when=1+2",
        "flock:error=ENOLCK:when=5+4",
        "ftruncate:error=EIO:when=1+1",
    ],
)
def test_a_failing_disk(fault: str, history: Opened, path: Path) -> None:
    """System calls that fail now and then lose nothing, double nothing and leave the file valid; the user is told."""
    if not _may_inject():
        pytest.skip("strace is missing, or may not trace here")
    name = fault.partition(":")[0]
    command = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={name}", "-e", f"inject={fault}"]
    done = subprocess.run(
        [*command, sys.executable, "-c", _APPENDS_ON_A_BAD_DISK, str(history.folder)],
        env={"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.stdout == "0 40\n", done.stderr
    assert [int(row["id"]) for row in json.loads(path.read_bytes())] == list(range(40))
    assert ("can't be written" in done.stderr) == (name != "ftruncate" and "retval" not in fault)


_APPENDS_BEYOND_ITS_LIMIT = """
import json, resource, sys
from datetime import UTC, datetime
from pathlib import Path
from nbtokens.history.store import Store
from nbtokens.record import Record

store = Store(Path(sys.argv[1]), lambda told: None)
path = store.journal.path
def append(number):
    store.append(Record(v=1, kind="call", id=str(number), started_at=datetime.now(UTC), operation="x" * 200))
for number in range(3):
    append(number)
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 50, hard))
for number in range(3, 8):
    append(number)
resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 900, hard))  # three of the five that wait, and a part
store.flush()
print(store.waiting, store.totals().sums().calls)
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
append(8)
print(store.waiting, [int(row["id"]) for row in json.loads(path.read_bytes())])
"""


@pytest.mark.parametrize("prefix", [(), ("-e", "inject=ftruncate:error=EIO:when=6")], ids=["cut", "not cut"])
def test_written_in_part(prefix: tuple[str, ...], history: Opened) -> None:
    """A write that the system takes a part of only is undone; if even that fails, the next append mends the file."""
    if prefix and not _may_inject():
        pytest.skip("strace is missing, or may not trace here")
    command = ["strace", "-f", "-qq", "-o", "/dev/null", *prefix] if prefix else []
    done = subprocess.run(
        [*command, sys.executable, "-c", _APPENDS_BEYOND_ITS_LIMIT, str(history.folder)],
        env={"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert done.stdout.splitlines() == ["5 8", f"0 {list(range(9))}"], done.stderr
    assert len(list(history.folder.glob("usage_history.torn-*"))) == bool(prefix)


_WRITES_ANEW = """
import sys
from pathlib import Path
from nbtokens.history import upkeep
from nbtokens.history.store import Store

store = Store(Path(sys.argv[1]), print)
try:
    upkeep.forget(store, upkeep.Choice(user="bob"))
except OSError as error:
    print(error.strerror)
"""


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("write:error=ENOSPC:when=1", "No space left on device"),
        ("fsync:error=EIO:when=1", "Input/output error"),
        ("rename:error=EIO:when=1", "Input/output error"),
        ("openat:error=EROFS:when=1", "Read-only file system"),
    ],
)
def test_a_disk_that_fails_while_the_history_is_written_anew(
    fault: str, said: str, history: Opened, path: Path, make_record: Callable[..., Record]
) -> None:
    """The history is as it was before, nothing else lies beside it, and the next time it goes well."""
    if not _may_inject():
        pytest.skip("strace is missing, or may not trace here")
    for number in range(10):
        history.store.append(make_record(user=("ada", "bob")[number % 2]))
    before = path.read_bytes()
    new = path.with_name(f".{path.name}.new")
    command = ["strace", "-f", "-qq", "-o", "/dev/null", "-P", str(new), "-e", f"inject={fault}"]
    for prefix, expected in ((command, f"{said}\n"), ([], "")):
        done = subprocess.run(
            [*prefix, sys.executable, "-c", _WRITES_ANEW, str(history.folder)],
            env={"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True, text=True, timeout=240, check=True,
        )  # fmt: skip
        assert done.stdout == expected, done.stderr
        assert not new.exists()
        assert (path.read_bytes() == before) == bool(prefix)
    assert [row.get("user") for row in history.rows()] == [None, *["ada"] * 5]


def test_interrupted_while_it_writes(
    history: Opened, make_record: Callable[..., Record], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An interrupt in the middle of an append leaves the file valid, and the record is written with the next one."""
    from nbtokens.history import journal  # noqa: PLC0415 - patched here only

    first, second, third = make_record(), make_record(), make_record()
    history.store.append(first)

    def interrupted(descriptor: int, data: bytes, at: int) -> int:
        real(descriptor, data[:50], at)
        monkeypatch.setattr(journal, "_write_at", real)
        raise KeyboardInterrupt

    real = journal._write_at
    monkeypatch.setattr(journal, "_write_at", interrupted)
    with pytest.raises(KeyboardInterrupt):
        history.store.append(second)
    assert history.ids() == [first.id]
    history.store.append(third)
    assert history.ids() == [first.id, second.id, third.id]


def test_interrupted_behind_the_write(
    history: Opened, make_record: Callable[..., Record], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An interrupt after the record is in the file doubles nothing; so it is with records that had waited."""
    file = history.store.journal._file

    def interrupted() -> None:
        real()
        monkeypatch.setattr(file, "release", real)
        raise KeyboardInterrupt

    real = file.release
    records = [make_record() for _ in range(4)]
    monkeypatch.setattr(file, "release", interrupted)
    with pytest.raises(KeyboardInterrupt):
        history.store.append(records[0])
    with Journal(history.folder).locked():
        history.store.append(records[1])
        history.store.append(records[2])
    monkeypatch.setattr(file, "release", interrupted)
    with pytest.raises(KeyboardInterrupt):
        history.store.flush()
    history.store.append(records[3])
    assert history.store.waiting == 0
    assert history.ids() == [record.id for record in records]
    assert history.store.totals().sums().calls == 4


def test_durable_means_on_the_disk(history: Opened, path: Path) -> None:
    """With `durable` each record is followed by an fsync before `append` returns."""
    if not _may_inject():
        pytest.skip("strace is missing, or may not trace here")
    log = path.with_name("strace.txt")
    subprocess.run(
        ["strace", "-f", "-o", log, "-e", "trace=pwrite64,fsync", sys.executable, "-c", _APPENDS_ON_A_BAD_DISK,
         str(history.folder)],
        env={"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}, capture_output=True, timeout=240, check=True,
    )  # fmt: skip
    calls = [
        line.split()[1].partition("(")[0]
        for line in log.read_text().splitlines()
        if "pwrite64(" in line or "fsync(" in line
    ]
    assert calls == ["pwrite64", "fsync"] * 40
