"""The error of a stopped call, as a cell shows it: the user's own lines and the message, without a client's insides."""

from __future__ import annotations

import sysconfig
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

from nbtokens.limits import BudgetExceeded
from nbtokens.reports.hidden import hide_money, hiding

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

_HOOK: Final = "_render_traceback_"
"""What IPython asks of an exception that knows how it is to be shown."""
_LIBRARIES: Final = (
    *(sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")),
    str(Path(__file__).parents[1]),
)


def shorten(shell: InteractiveShell) -> None:
    """From here on, this shell shows a `BudgetExceeded` in short."""

    def rendered(error: BudgetExceeded) -> list[str]:
        lines: list[str] = shell.InteractiveTB.structured_traceback(
            type(error), error, own_lines(error.__traceback__), tb_offset=0
        )
        return [hide_money(line) for line in lines] if hiding.on else lines

    hook: Any = rendered
    setattr(BudgetExceeded, _HOOK, hook)


def restore() -> None:
    """Show it again as any other error."""
    if hasattr(BudgetExceeded, _HOOK):
        delattr(BudgetExceeded, _HOOK)


def own_lines(trace: TracebackType | None) -> TracebackType | None:
    """A traceback without the frames of libraries; the whole of it where there are no others."""
    frames = []
    rest = trace
    while rest is not None:
        if not rest.tb_frame.f_code.co_filename.startswith(_LIBRARIES):
            frames.append(rest)
        rest = rest.tb_next
    short: TracebackType | None = None
    for one in reversed(frames):
        short = TracebackType(short, one.tb_frame, one.tb_lasti, one.tb_lineno)
    return short or trace
