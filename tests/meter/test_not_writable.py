"""Where the ledger can't be written, calls work, the figures come from memory, and the user is told once."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

import pytest
from clients import SDKS

import nbtokens
from nbtokens.runtime import runtime

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ledgers import Ledger

    from nbtokens.demo.endpoint import Endpoint

CALLS: Final = 3


def file_in_place_of_folder(folder: Path) -> None:
    folder.rmdir()
    folder.write_text("mine")


def folder_in_place_of_file(folder: Path) -> None:
    (folder / "usage_history.json").mkdir()


def broken_link(folder: Path) -> None:
    folder.rmdir()
    folder.symlink_to("/proc/nowhere")


def somebody_elses_file(folder: Path) -> None:
    (folder / "usage_history.json").write_text('{"mine": true}')


OBSTACLES: Final = [file_in_place_of_folder, folder_in_place_of_file, broken_link, somebody_elses_file]


@pytest.mark.parametrize("obstacle", OBSTACLES)
def test_from_memory(
    obstacle: Callable[[Path], None], simulated: Endpoint, ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    """Session, history, records, table and summary hold the calls; one warning says why they are not in the file."""
    obstacle(ledger.folder)
    caplog.set_level(logging.WARNING, "nbtokens")
    nbtokens.enable()
    with SDKS[0].client(simulated.base_url) as client, nbtokens.operation("x") as op:
        for _ in range(CALLS):
            assert SDKS[0].ask(client).choices
    runtime().settle()
    sums = nbtokens.session().sums
    assert (sums.calls, op.calls, nbtokens.history().sums.calls) == (CALLS, CALLS, CALLS)
    assert sums.total_tokens == nbtokens.history().sums.total_tokens > 0
    for view in (nbtokens.history(), nbtokens.session()):
        assert [record.kind for record in view.records()] == ["call"] * CALLS + ["run"]
    assert len(nbtokens.history().frame()) == CALLS + 1
    assert "simulated-model" in nbtokens.history().summary()
    assert [one.levelname for one in caplog.records if one.name == "nbtokens"] == ["WARNING"]
    assert len(runtime().notices) == 1
    assert str(ledger.folder) in runtime().notices[0]


@pytest.mark.parametrize("obstacle", OBSTACLES)
def test_what_is_there_is_left_alone(obstacle: Callable[[Path], None], simulated: Endpoint, ledger: Ledger) -> None:
    """Whatever is in the way is not touched."""
    obstacle(ledger.folder)
    nbtokens.enable()
    with SDKS[0].client(simulated.base_url) as client:
        SDKS[0].ask(client)
    nbtokens.disable()
    if obstacle is file_in_place_of_folder:
        assert ledger.folder.read_text() == "mine"
    elif obstacle is somebody_elses_file:
        assert ledger.path.read_text() == '{"mine": true}'
    elif obstacle is broken_link:
        assert ledger.folder.is_symlink()
    else:
        assert list(ledger.path.iterdir()) == []


def test_written_once_it_can_be(simulated: Endpoint, ledger: Ledger) -> None:
    """What waited is written, in its order, when the obstacle is gone."""
    file_in_place_of_folder(ledger.folder)
    nbtokens.enable()
    with SDKS[0].client(simulated.base_url) as client:
        for number in range(CALLS):
            with nbtokens.operation(f"number {number}"):
                SDKS[0].ask(client)
        ledger.folder.unlink()
        with nbtokens.operation("last"):
            SDKS[0].ask(client)
    assert [row["operation"] for row in ledger.rows()] == [*(f"number {n}" for n in range(CALLS)), "last"]
    assert nbtokens.history().sums.calls == CALLS + 1


def test_folder_removed_while_recording(simulated: Endpoint, recording: Ledger) -> None:
    """A ledger that is removed while calls are made is begun anew."""
    with SDKS[0].client(simulated.base_url) as client:
        SDKS[0].ask(client)
        runtime().settle()
        for path in recording.folder.iterdir():
            path.unlink()
        recording.folder.rmdir()
        SDKS[0].ask(client)
    assert len(recording.rows()) == 1
    assert nbtokens.history().sums.calls == 1
    assert nbtokens.session().sums.calls == 2
