"""The words by which every question says which calls it is about."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from nbtokens.analysis.selection import Selection, point_in_time
from nbtokens.runtime import runtime

if TYPE_CHECKING:
    import argparse

_THIS: Final = "this"


def add_selection(parser: argparse.ArgumentParser) -> None:
    """Declare `--since`, `--until`, `--run`, `--model` and so on."""
    group = parser.add_argument_group("which calls")
    group.add_argument("--since", metavar="WHEN", help="from then on: 7d, 12h, 2w ago, or a UTC date or time")
    group.add_argument("--until", metavar="WHEN", help="before then")
    group.add_argument("--run", metavar="ID", help="of this run_id")
    group.add_argument("--operation", metavar="NAME", help="with this label; without any: of this kind, as chat")
    for name in ("model", "user", "notebook"):
        group.add_argument(f"--{name}", metavar="NAME", help=f"of this {name}")
    group.add_argument("--session", metavar="ID", help="of this session; `this` is the one that asks, since its reset")


def selection(arguments: argparse.Namespace) -> Selection:
    """What the words select.

    Raises:
        NbtokensError: a time is none.
    """
    now = datetime.now(UTC)
    return Selection(
        since=point_in_time(arguments.since, now) if arguments.since else None,
        until=point_in_time(arguments.until, now) if arguments.until else None,
        run=arguments.run,
        model=arguments.model,
        operation=arguments.operation,
        user=arguments.user,
        notebook=arguments.notebook,
        **of_session(arguments.session),
    )


def of_session(name: str | None) -> dict[str, Any]:
    """The fields of a selection that stand for a session: by its id, or `this`, which begins anew when it is reset."""
    if name != _THIS:
        return {"session": name}
    mine = runtime().session
    return {"session": mine.id, "reset_at": mine.started_at, "besides": mine.of_earlier_times}
