"""What stands in the ledger's way: foreign files, removed folders, full disks. Nothing is lost or destroyed."""

from __future__ import annotations

import resource
import shutil
import signal
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from opened import Opened

    from nbtokens.record import Record


@pytest.fixture
def limited_disk() -> Iterator[Callable[[int | None], None]]:
    """Let files of this process grow to so many bytes and no further, as on a disk that is full; None: as they like."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    def limit(size: int | None) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, before if size is None else (size, before[1]))

    yield limit
    limit(None)
    signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b'{"version": 3, "calls": []}\n', id="object"),
        pytest.param(b'{"a": [\n{"b": 1}\n]\n', id="object that ends as ours"),
        pytest.param(b"Dear diary,\ntoday I spent $3.\n", id="text"),
        pytest.param(b'history = [\n{"a": 1}\n]\n', id="program that ends as ours"),
        pytest.param(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", id="binary"),
        pytest.param(b"<!DOCTYPE html>\n<p>[{}]</p>\n", id="HTML"),
        pytest.param(b"[1, 2, 3]\n", id="array of numbers"),
        pytest.param(b"[\n1,\n2\n]\n", id="array of numbers in lines"),
        pytest.param(b"[1, 2, 3", id="half an array of numbers"),
        pytest.param(b'[\n{"a": 1}\n]\n', id="array of an object"),
        pytest.param(b'[{"a": 1}, {"b": 2}]', id="array of objects"),
        pytest.param(b'[\n{"a": 1},\n{"b": 2}\n]\n', id="array of objects in lines"),
        pytest.param(b'[\n  {\n    "v": 1\n  },\n{"v":1,"ki', id="torn after it was laid out anew"),
    ],
)
def test_never_touches_what_is_not_ours(
    content: bytes, path: Path, history: Opened, make_record: Callable[..., Record]
) -> None:
    """A file of another kind stays as it is, byte for byte; the records wait in memory, and totals include them."""
    path.write_bytes(content)
    records = [make_record(input_tokens=7), make_record(input_tokens=8)]
    for record in records:
        history.store.append(record)
    history.store.flush()
    assert path.read_bytes() == content
    assert history.store.waiting == 2
    assert history.store.totals().sums().input_tokens == 15
    assert list(history.store.records()) == records
    [told] = set(history.told)
    assert str(path) in told
    assert "Move it away" in told


def test_what_waited_is_written_once_the_file_is_moved_away(
    path: Path, history: Opened, make_record: Callable[..., Record]
) -> None:
    """When a file that was not ours is moved away, what waited and what comes next stand in a new one, in order."""
    path.write_text("not ours")
    records = [make_record() for _ in range(3)]
    for record in records[:2]:
        history.store.append(record)
    path.unlink()
    history.store.append(records[2])
    assert history.ids() == [record.id for record in records]
    assert history.store.waiting == 0
    assert history.store.totals().sums().calls == 3


def test_a_file_where_the_folder_should_be(history: Opened, make_record: Callable[..., Record]) -> None:
    """Where the folder can't be made, calls count from memory and the user is told why; the obstacle is untouched."""
    folder, store = history.folder, history.store
    folder.parent.mkdir()
    folder.write_text("in the way")
    records = [make_record(input_tokens=7), make_record(input_tokens=1)]
    for record in records:
        store.append(record)
    store.checkpoint(force=True)
    store.write_summary("summary")
    assert folder.read_text() == "in the way"
    assert store.totals().sums().input_tokens == 8
    assert list(store.records()) == records
    [told] = set(history.told)
    assert str(folder) in told
    folder.unlink()
    store.flush()
    assert store.waiting == 0
    assert history.ids() == [record.id for record in records]
    assert store.totals().sums().input_tokens == 8


def test_a_folder_where_the_file_should_be(path: Path, history: Opened, make_record: Callable[..., Record]) -> None:
    """A folder of the file's name is no reason to lose a call, or to fail when the figures are asked for."""
    path.mkdir()
    history.store.append(make_record(input_tokens=7))
    assert history.store.totals().sums().input_tokens == 7
    assert len(list(history.store.records())) == 1
    assert f"{path} is a folder, not a file. Move it away" in history.told[0]


def test_folder_removed_while_running(history: Opened, make_record: Callable[..., Record]) -> None:
    """When somebody removes the folder, the next record makes it anew, and totals speak of what is there."""
    history.store.append(make_record())
    assert history.store.totals().sums().calls == 1
    shutil.rmtree(history.folder)
    assert history.store.totals().sums().calls == 0
    records = [make_record(), make_record()]
    for record in records:
        history.store.append(record)
    assert history.ids() == [record.id for record in records]
    assert history.store.totals().sums().calls == 2
    assert (history.folder / ".gitignore").exists()
    assert history.told == []


def test_file_removed_while_running(history: Opened, make_record: Callable[..., Record]) -> None:
    """When somebody removes the file alone, the next record begins another."""
    history.store.append(make_record())
    history.path.unlink()
    record = make_record()
    history.store.append(record)
    assert history.ids() == [record.id]


@pytest.mark.parametrize("count", [0, 2])
def test_disk_full(
    count: int, limited_disk: Callable[[int | None], None], history: Opened, make_record: Callable[..., Record]
) -> None:
    """A record that fits on the disk only in part leaves the file valid, and is written when there is room."""
    small, large = make_record(), make_record(operation="x" * 5000)
    history.store.append(small)
    if count == 0:
        history.path.write_bytes(b"")
    before = history.path.read_bytes()
    limited_disk(len(before) + 1000)
    for number in range(1, 3):
        history.store.append(large)
        assert history.path.read_bytes() == before
        assert history.store.waiting == number
    [told] = set(history.told)
    assert "too large" in told
    limited_disk(None)
    history.store.flush()
    assert history.ids() == [*([small.id] if count else []), large.id, large.id]
    assert history.store.totals().sums().calls == len(history.ids())
