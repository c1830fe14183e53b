"""`%tokens` and `%%tokens`."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from IPython.core.error import UsageError
from IPython.core.magic import Magics, line_cell_magic, magics_class

from nbtokens.budget import note
from nbtokens.decimals import exactly
from nbtokens.errors import NbtokensError
from nbtokens.notebook.budget_magic import run_budget
from nbtokens.notebook.cell_options import CellOptions, read_cell_options
from nbtokens.reports.overview import overview
from nbtokens.reports.summary import summary_report
from nbtokens.transports.exact_streams import switch

if TYPE_CHECKING:
    from collections.abc import Callable

    from nbtokens.notebook.extension import Extension
    from nbtokens.notebook.live import LivePanel
    from nbtokens.reports.report import Report

HELP: Final = """What the LLM calls of this notebook cost.

    %tokens             the last cell that made calls, this session, all time; by model
    %%tokens            runs the cell, then shows what it cost, by call; `%%tokens --op NAME -o VARIABLE --quiet`
    %tokens cells       the notebook's cells by cost, over all sessions; `%tokens cells session`: in this one
    %tokens footer      one line of figures under each cell that makes calls, until `%tokens footer off`
    %tokens hide-cost   shows no amounts of money, until `%tokens hide-cost off`
    %tokens budget      stops calls before a limit is passed: `%tokens budget 5.00 --per day`; `%tokens budget off`
    %tokens live        a panel that keeps itself current
    %tokens tail        the latest calls, of any kernel or script; `%tokens tail -f` keeps itself current
    %tokens report      writes USAGE_SUMMARY.md, and shows it
    %tokens df          the history as a DataFrame; `%tokens df session`: this session's calls
    %tokens plot        `%tokens plot cost`, daily, models, cells, speed, cache, validate; `session` behind: only that
    %tokens off         records no more, until `%tokens on`
    %tokens reset       counts the session from zero; the history keeps everything
    %tokens streams     `%tokens streams exact` asks for the usage of streams, until `%tokens streams off`
    %tokens summary     the history on one page: by model, operation and notebook, the last calls
    %tokens stats       tokens and speed: sums, averages, percentiles; `%tokens stats --by notebook --since 7d`
    %tokens validate    does time follow the tokens generated, or the max_tokens allowed?
    %tokens check       red flags: throttling, cut off answers, outliers, slow models, errors, rate limits
    %tokens cost        what was spent on what, to the end of the month, and what could have been saved
    %tokens prices      what a model costs and cost, and its context window: `%tokens prices gpt-5`
    %tokens whatif      what the same calls would have cost with other models: `%tokens whatif gpt-5-mini`
    %tokens count       the tokens of a text or a column: `%tokens count df["text"] --model gpt-5`
    %tokens estimate    what calls would cost: `%tokens estimate df["text"] --model gpt-5 --output 200`
    %tokens config      every setting that is in force, and where it comes from
    %tokens scores      the scores that calls were given with nbtokens.score(...), by operation, user and model
    %tokens verify      checks the whole history; `%tokens verify --repair` mends what can be mended
    %tokens reprice     the history at today's prices; `%tokens reprice --yes` appends them
    %tokens archive     moves past months into Parquet files, which everything here still sees
    %tokens forget      takes someone's rows out for good: `%tokens forget --user NAME --yes`
    %tokens import      takes other histories in, each row once: `%tokens import colleague.json`
    %tokens export      the history as a file: `%tokens export --format csv --output calls.csv`
    %tokens --team      what the team used, from its database; so with cost, stats, check, budget: `%tokens --team cost`
    %tokens doctor      what is wrong, what goes unseen, and how everything stands
    %tokens help        this text

The history lies in .metrics/usage_history.json, beside USAGE_SUMMARY.md.
"""

_SESSION: Final = ("session",)
_PLOTS: Final = ("cost", "daily", "models", "cells", "speed", "cache", "validate", "session")
_SWITCH: Final = ("on", "off")
_STREAMS: Final = ("exact", "off")


@magics_class
class TokensMagics(Magics):
    """The magics, over one extension."""

    def __init__(self, extension: Extension) -> None:
        super().__init__(extension.shell)
        self._extension = extension
        self._runtime = extension.runtime
        self._commands: dict[str, Callable[[list[str]], Any]] = {
            "": self._overview,
            "budget": self._budget,
            "cells": self._cells,
            "footer": partial(self._switch, "footer"),
            "hide-cost": partial(self._switch, "hide_cost"),
            "live": self._live,
            "report": self._report,
            "df": self._frame,
            "plot": self._plot,
            "on": self._on,
            "off": self._off,
            "reset": self._reset,
            "streams": self._streams,
            "help": self._help,
        }

    def words(self) -> dict[str, tuple[str, ...]]:
        """Command -> the words that may follow it."""
        following = {
            "budget": ("off",),
            "cells": _SESSION,
            "df": _SESSION,
            "plot": _PLOTS,
            "footer": _SWITCH,
            "hide-cost": _SWITCH,
            "streams": _STREAMS,
        }
        return {name: following.get(name, ()) for name in self._commands}

    @line_cell_magic
    def tokens(self, line: str, cell: str | None = None) -> Any:  # noqa: ANN401 - what is displayed
        """Replaced by HELP."""
        if cell is not None:
            return self._extension.run_measured(cell, _cell_options(line))
        name, *arguments = line.split() or [""]
        command = self._commands.get(name)
        if command is None:
            if name in ("estimate", "count"):
                from nbtokens.notebook.expressions import about_expression  # noqa: PLC0415 - the same as below

                found = about_expression(line, self._extension.shell, self._extension.presented)
                if found is not None:
                    return found
            if name == "tail":
                from nbtokens.notebook.tailing import tail  # noqa: PLC0415 - the same

                words = line.partition(name)[2]
                return self._extension.presented(tail(words, self._runtime, self._extension.tail))
            from nbtokens.notebook.asking import ask  # noqa: PLC0415 - what answers questions is loaded when one is asked

            return ask(line, filter(None, self._commands), self._runtime.history, self._extension.presented)
        return self._extension.presented(exactly(command)(arguments))

    def _overview(self, _: list[str]) -> Report:
        return overview(self._extension.cells.last_with_calls, self._runtime.session, self._runtime.history)

    def _cells(self, arguments: list[str]) -> Report:
        if arguments not in ([], ["session"]):
            raise UsageError(f"%tokens cells takes nothing or `session`, not {' '.join(arguments)!r}.")
        return self._extension.cells_report(session=bool(arguments))

    def _budget(self, arguments: list[str]) -> Report:
        try:
            return run_budget(self._runtime.budgets, arguments)
        except NbtokensError as error:
            raise UsageError(str(error)) from None
        finally:
            note()
            self._extension.figures_changed()

    def _switch(self, preference: str, arguments: list[str]) -> None:
        if arguments not in ([], ["on"], ["off"]):
            raise UsageError(
                f"%tokens {preference.replace('_', '-')} takes `on` or `off`, not {' '.join(arguments)!r}."
            )
        setattr(self._extension.preferences, preference, arguments != ["off"])
        self._extension.figures_changed()

    def _live(self, _: list[str]) -> LivePanel:
        return self._extension.panel()

    def _report(self, _: list[str]) -> Report:
        self._runtime.write_summary()
        return self._runtime.store.view(lambda totals: summary_report(totals, datetime.now(UTC)))

    def _frame(self, arguments: list[str]) -> Any:  # noqa: ANN401 - a DataFrame; pandas is not imported here
        if arguments not in ([], ["session"]):
            raise UsageError(f"%tokens df takes nothing or `session`, not {' '.join(arguments)!r}.")
        return self._runtime.session.frame() if arguments else self._runtime.history.frame()

    def _plot(self, arguments: list[str]) -> Any:  # noqa: ANN401 - a picture; matplotlib is not imported here
        from nbtokens.notebook.plotting import drawing  # noqa: PLC0415 - only where something is drawn

        return drawing(arguments, self._runtime, hide_cost=self._extension.preferences.hide_cost)

    def _on(self, _: list[str]) -> None:
        self._runtime.enable()

    def _off(self, _: list[str]) -> None:
        self._runtime.disable()

    def _reset(self, _: list[str]) -> None:
        self._runtime.session.reset(datetime.now(UTC))
        note()
        self._extension.cells.last_with_calls = None
        self._extension.figures_changed()

    def _streams(self, arguments: list[str]) -> None:
        if arguments not in (["exact"], ["off"]):
            raise UsageError(f"%tokens streams takes `exact` or `off`, not {' '.join(arguments)!r}.")
        switch.on = arguments == ["exact"]
        if switch.learn not in self._runtime.subscribers:
            self._runtime.subscribers.append(switch.learn)

    def _help(self, _: list[str]) -> None:
        print(HELP)  # noqa: T201 - asked for


def _cell_options(line: str) -> CellOptions:
    try:
        return read_cell_options(line)
    except NbtokensError as error:
        raise UsageError(str(error)) from error


TokensMagics.tokens.__doc__ = HELP
