"""The limits of kernels, noted beside the history while these live: for the page, which another process shows."""

from __future__ import annotations

import os
import socket
from datetime import datetime
from typing import TYPE_CHECKING, Final

import msgspec

from nbtokens.folder import make_folder
from nbtokens.guard import guarded
from nbtokens.history.checkpoint import replace_file
from nbtokens.limits import Limit

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from nbtokens.config import Config

FOLDER: Final = "limits"
_OF_A_MOMENT: Final = ("cell", "minute")


class Noted(msgspec.Struct, frozen=True):
    """The limits of one process.

    Attributes:
        limits: those that last: for a session, day, month or notebook.
        session: the session's id.
        reset_at: when it was last reset, UTC; None where it never was.
        notebook: where they were set.
        user: who set them.
        host: the machine on which the process runs.
        pid: its process id.
    """

    limits: tuple[Limit, ...]
    session: str
    reset_at: datetime | None
    notebook: str | None
    user: str | None
    host: str
    pid: int


def note_limits(
    config: Config, session: str, reset_at: datetime | None, notebook: str | None, limits: Sequence[Limit]
) -> None:
    """Note the limits of this process, in place of those that it had. Never raises."""
    with guarded:
        lasting = tuple(one for one in limits if one.per not in _OF_A_MOMENT)
        folder = config.folder / FOLDER
        path = folder / f"{session}.json"
        if not lasting:
            path.unlink(missing_ok=True)
            return
        make_folder(config.folder)
        folder.mkdir(exist_ok=True)
        noted = Noted(lasting, session, reset_at, notebook, config.user, socket.gethostname(), os.getpid())
        try:
            replace_file(path, msgspec.json.encode(noted))
        except OSError:
            return


def noted_limits(folder: Path) -> Iterator[Noted]:
    """The limits of the kernels of a ledger's folder that live; what is left of others is removed."""
    for path in sorted((folder / FOLDER).glob("*.json")):
        try:
            noted = msgspec.json.decode(path.read_bytes(), type=Noted)
            if _lives(noted):
                yield noted
            else:
                path.unlink(missing_ok=True)
        except (OSError, msgspec.MsgspecError):
            continue


def _lives(noted: Noted) -> bool:
    """Whether its process lives, as far as that can be told; of another machine's it can't."""
    if noted.host != socket.gethostname() or os.name == "nt":
        return True
    try:
        os.kill(noted.pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
