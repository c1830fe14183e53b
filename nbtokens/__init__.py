"""nbtokens: what the LLM calls of a notebook cost, by cell, model and operation.

In a notebook::

    %load_ext nbtokens
    %tokens

In a script::

    import nbtokens
    nbtokens.enable()
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from nbtokens._version import __version__
from nbtokens.alerts import Alert
from nbtokens.budget import Budget, budget
from nbtokens.cache_hits import record_cache_hit
from nbtokens.errors import ConfigError, HistoryError, NbtokensError
from nbtokens.formats.usage_objects import ResponseUsage, usage_of
from nbtokens.limits import BudgetExceeded, make_limit
from nbtokens.manual import record
from nbtokens.operation import Operation, Run, UsualOperation
from nbtokens.record import Record
from nbtokens.recorded import recorded
from nbtokens.runtime import runtime
from nbtokens.sdk_objects import record_response
from nbtokens.views import History, Session

if TYPE_CHECKING:
    from collections.abc import Callable
    from decimal import Decimal

    from IPython.core.interactiveshell import InteractiveShell

    from nbtokens.analysis.token_stats import Summaries
    from nbtokens.before.estimate import Estimate
    from nbtokens.context import TagValue
    from nbtokens.questions.in_code import When
    from nbtokens.tracking import Track

__all__ = [
    "Alert",
    "Budget",
    "BudgetExceeded",
    "ConfigError",
    "History",
    "HistoryError",
    "NbtokensError",
    "Operation",
    "Record",
    "ResponseUsage",
    "Run",
    "Session",
    "__version__",
    "budget",
    "count_tokens",
    "disable",
    "enable",
    "estimate",
    "history",
    "load_ipython_extension",
    "log_config",
    "on_alert",
    "operation",
    "record",
    "record_cache_hit",
    "record_response",
    "recorded",
    "report",
    "run_id",
    "score",
    "session",
    "stats",
    "track",
    "unload_ipython_extension",
    "usage_of",
]


def enable() -> None:
    """Record every LLM call of this process from here on. Clients that exist already count too."""
    runtime().enable()


def disable() -> None:
    """Record no more, and leave every client class as it was found. What is recorded stays."""
    runtime().disable()


def operation(name: UsualOperation | str, **tags: TagValue) -> Operation:
    """Label the calls of a `with` block, or of a function that it decorates.

    Args:
        name: what the calls are for, as "summarise" or one of the usual names: embedding, query_embedding,
            rag_input, rag_output, chat_completion, text_generation, text_classification.
        **tags: what else to keep with each call: text, numbers, true or false, or lists of texts.

    Returns:
        The operation: its `calls`, `input_tokens`, `output_tokens` and `cost_usd` grow while it runs.
    """
    return Operation(name, tags)


def run_id(name: str) -> Run:
    """Name the run that all calls from here on belong to; in a `with` block, until its end."""
    return Run(name)


def on_alert(callback: Callable[[Alert], None]) -> None:
    """Have a function called with each alert of `[tool.nbtokens.alerts]`, on the thread that made the call."""
    runtime().budgets.alerts.callbacks.append(callback)


def session() -> Session:
    """The calls of this kernel or process."""
    return runtime().session


def history() -> History:
    """Every call that was ever recorded in this project."""
    return runtime().history


def stats(  # noqa: PLR0913 - each is a way to say which calls
    by: str | None = None,
    *,
    since: When | None = None,
    until: When | None = None,
    run: str | None = None,
    model: str | None = None,
    operation: str | None = None,
    user: str | None = None,
    notebook: str | None = None,
    session: str | None = None,
) -> Summaries | dict[str | None, Summaries]:
    """Statistics over the calls of the history that succeeded.

    Args:
        by: "model", "operation", "notebook", "cell", "user", "day", "week", "month", "session", "run_id", or the
            name of a tag: statistics for each group.
        since: only calls from then on: a time, a timedelta or text as "7d" (so long ago), or a date as text.
        until: only calls before then.
        run: only calls of this `run_id`.
        model: only calls of this model.
        operation: only calls of this operation; without a label, those of this kind.
        user: only calls of this user.
        notebook: only calls of this notebook.
        session: only calls of this session; "this" is the one that asks, since it was reset.

    Returns:
        For each of input_tokens, output_tokens, total_tokens (tokens), duration_s (seconds), tokens_per_second and
        cost_usd: count, avg, min, max, p50, p95, p99, sum. With `by`, that for each group.

    Raises:
        NbtokensError: a text says no time.
    """
    from nbtokens.questions import in_code  # noqa: PLC0415 - not on the path of a call

    only = {"run": run, "model": model, "operation": operation, "user": user, "notebook": notebook, "session": session}
    return in_code.stats(by, since, until, only)


def estimate(  # noqa: PLR0913 - each says something else of what will be sent
    data: Any,  # noqa: ANN401 - whatever the user has
    model: str,
    output: float | tuple[float, float] | None = None,
    *,
    system: str | None = None,
    operation: str | None = None,
    provider: str | None = None,
    progress: bool = True,
) -> Estimate:
    """What sending some rows to a model will come to: tokens, money, time. Nothing is sent.

    Args:
        data: a column, a list or an array of texts or of chats (lists of messages), or one of these: a row is a call.
        model: the model, as a request would name it.
        output: tokens of an answer, as 200 (the range then goes from half to twice as many) or (100, 400). As seen in
            the history where it is left out: the average, with the range in which 90 % of the answers lie.
        system: a system message that each row would be sent with.
        operation: only what the history knows of this operation tells the length of answers and the speed.
        provider: whose price holds; told from the history, else from the model's name, if left out.
        progress: show a bar where counting takes longer than a second.

    Returns:
        The estimate: `cost_usd`, `low_usd`, `high_usd`, `input_tokens`, `seconds`, `rows_over_context`, `plot()`, ...

    Raises:
        NbtokensError: these are no rows, as of a whole DataFrame.
    """
    from nbtokens.before.estimate import estimate as of_rows  # noqa: PLC0415 - not on the path of a call

    return of_rows(data, model, output, system=system, operation=operation, provider=provider, progress=progress)


def count_tokens(data: Any, model: str) -> Any:  # noqa: ANN401 - a number for one, a column for a column
    """How many tokens a text, a chat, or each row of a column or list has.

    With the model's own encoding where that is known and on this machine, else about (docs/before.md).

    Args:
        data: a text, a chat (a list of messages), or a column, list or array of these.
        model: the model, as a request would name it.

    Returns:
        The tokens: of one, a number; of a Series, a Series with its index; else a list. A chat counts with what
        stands around its messages.

    Raises:
        NbtokensError: it can't be counted, as a whole DataFrame.
    """
    from nbtokens.before.counting import count_tokens as count_rows  # noqa: PLC0415 - not on the path of a call

    return count_rows(data, model)


def report(*, detailed: bool = False) -> None:
    """Print the token usage report of this kernel's or process's calls.

    Args:
        detailed: with a breakdown by operation and by model.
    """
    from nbtokens.questions import in_code  # noqa: PLC0415 - not on the path of a call

    print(in_code.session_report(detailed=detailed))  # noqa: T201 - asked for


def score(of: Record | str | None = None, /, **scores: float) -> Record:
    """Keep scores of a call, by any names: `nbtokens.score(quality=0.85, safety=0.95)`.

    They are a row of their own in the history. A later score of the same name takes the place of an earlier one.

    Args:
        of: the call's record, or its id; the last call of this session if left out.
        **scores: numbers.

    Returns:
        The `score` row.

    Raises:
        TypeError: a score is no number, or there is none.
        NbtokensError: there was no call yet.
    """
    from nbtokens import scoring  # noqa: PLC0415 - not on the path of a call

    return scoring.score(of, scores, time.time())


def log_config(settings: object, *, level: int = logging.INFO) -> None:
    """Log what your own settings say about models: names with context windows, token limits, time-outs, thresholds.

    One line each on the logger `nbtokens`. What is or looks like a secret is shown as `***`.

    Args:
        settings: a mapping, a dataclass, a pydantic model, a namespace, or any object with attributes; nested at will.
        level: the level of the lines.
    """
    from nbtokens.settings_log import log_settings  # noqa: PLC0415 - not on the path of a call

    log_settings(settings, level)


def track(
    rows: Any,  # noqa: ANN401 - whatever can be looped over
    *,
    total: int | None = None,
    desc: str | None = None,
    cost_column: str | None = None,
    budget: Decimal | float | str | None = None,
) -> Track[Any]:
    """Loop over rows with a progress bar that shows what they cost: `for row in nbtokens.track(rows)`, or `async for`.

    Args:
        rows: what to loop over, with `for` or `async for`; of a DataFrame, its rows, each a Series.
        total: how many there are, where they can't be counted.
        desc: what stands before the bar.
        cost_column: put what each row has cost, in USD, into this column of the DataFrame.
        budget: USD; no row begins that would pass it, if it costs what rows have cost on average. Limits set by
            `nbtokens.budget` or `%tokens budget` hold besides.

    Returns:
        What is looped over. It knows `costs` (of each row), `cost_usd`, `calls`, and why it `stopped`.

    Raises:
        NbtokensError: `cost_column` without a DataFrame.
        ConfigError: `budget` is no amount.
    """
    from nbtokens.tracking import Track  # noqa: PLC0415 - not on loading

    limit = None if budget is None else make_limit(budget).cost_usd
    return Track(rows, total, desc, cost_column, limit)


def load_ipython_extension(shell: InteractiveShell) -> None:
    """`%load_ext nbtokens`."""
    from nbtokens.notebook.extension import load  # noqa: PLC0415 - only where IPython is

    load(shell)


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """`%unload_ext nbtokens`."""
    from nbtokens.notebook.extension import unload  # noqa: PLC0415 - only where IPython is

    unload(shell)
