"""nbtokens: what the LLM calls of a notebook cost, by cell, model and operation.

In a notebook::

    %load_ext nbtokens
    %tokens

In a script::

    import nbtokens
    nbtokens.enable()
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbtokens._version import __version__
from nbtokens.errors import ConfigError, HistoryError, NbtokensError
from nbtokens.manual import record
from nbtokens.operation import Operation, Run, UsualOperation
from nbtokens.record import Record
from nbtokens.runtime import runtime
from nbtokens.views import History, Session

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from nbtokens.context import TagValue

__all__ = [
    "ConfigError",
    "History",
    "HistoryError",
    "NbtokensError",
    "Operation",
    "Record",
    "Run",
    "Session",
    "__version__",
    "disable",
    "enable",
    "history",
    "load_ipython_extension",
    "operation",
    "record",
    "run_id",
    "session",
    "unload_ipython_extension",
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


def session() -> Session:
    """The calls of this kernel or process."""
    return runtime().session


def history() -> History:
    """Every call that was ever recorded in this project."""
    return runtime().history


def load_ipython_extension(shell: InteractiveShell) -> None:
    """`%load_ext nbtokens`."""
    from nbtokens.notebook.extension import load  # noqa: PLC0415 - only where IPython is

    load(shell)


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """`%unload_ext nbtokens`."""
    from nbtokens.notebook.extension import unload  # noqa: PLC0415 - only where IPython is

    unload(shell)
