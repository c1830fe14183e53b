"""Dask: calls that tasks make on workers belong to the cell, operation and run that submitted them.

    from nbtokens.workers.dask_plugin import record_on
    record_on(client)

The place goes along as an annotation of the tasks, so that neither functions nor keys change, and what Dask has
computed already stays computed. A worker writes the ledger of whoever submitted, in which each call is one record,
also where its task is run again or its worker is killed afterwards.
"""

from __future__ import annotations

import pickle
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import dask
from distributed import WorkerPlugin

from nbtokens.context import enter_place, own_place
from nbtokens.guard import guarded
from nbtokens.workers.carried import carry

if TYPE_CHECKING:
    from collections.abc import Callable

    from distributed import Client, Worker

_ANNOTATION: Final = "nbtokens"
_work: Final[ContextVar[Callable[..., Any] | None]] = ContextVar("nbtokens_dask_work", default=None)


def record_on(client: Client) -> None:
    """Record what a cluster's workers call for this client, from here on; a second time does nothing.

    Recording must be on here (`%load_ext nbtokens`), and nbtokens installed on the workers. Workers that join later
    record too. They write the ledger at its path here: on other machines that must be a folder which these share.
    """
    client.register_plugin(CallsOfTasks())
    if _ANNOTATION not in vars(client):
        setattr(client, _ANNOTATION, True)
        own: Any = client
        own._graph_to_futures = partial(_annotated, own._graph_to_futures)  # noqa: SLF001 - all submissions meet here


class CallsOfTasks(WorkerPlugin):
    """On a worker: runs each task at the place that its annotation names."""

    name = "nbtokens"

    def setup(self, worker: Worker) -> None:
        """Look at each task before it is run, and at what is given to the threads."""
        own: Any = worker
        own.execute = partial(_execute, worker, worker.execute)
        executor: Any = worker.executors["default"]
        executor.submit = partial(_submit, executor.submit)

    def teardown(self, worker: Worker) -> None:
        """Leave the worker as it was."""
        vars(worker).pop("execute", None)
        vars(worker.executors["default"]).pop("submit", None)


def _annotated(original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - the client's own
    """Submit a graph, with the present place on its tasks."""
    parcel = None
    with guarded:
        function = carry(_run)
        if function is not _run:  # recording is on
            parcel = pickle.dumps(function)
    if parcel is None:
        return original(*args, **kwargs)
    annotate: Any = dask.annotate  # type: ignore[attr-defined]
    with annotate(**{_ANNOTATION: parcel}):
        return original(*args, **kwargs)


async def _execute(worker: Worker, original: Callable[..., Any], key: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - the worker's own
    """Run a task, on a loop's task of its own: what is set here holds for it alone."""
    with guarded:
        task = worker.state.tasks.get(key)
        parcel = (task.annotations or {}).get(_ANNOTATION) if task is not None else None
        if parcel is not None:
            work = pickle.loads(parcel)  # noqa: S301 - as trusted as the task that it came with
            enter_place(work(own_place))  # the thread gets a copy of this context
            _work.set(work)
    return await original(key, **kwargs)


def _submit(original: Callable[..., Any], function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - the executor's own
    """Give a task to the threads: its run's name, which holds for the process, is that of the task meanwhile."""
    work = _work.get()
    return original(function, *args, **kwargs) if work is None else original(work, function, *args, **kwargs)


def _run(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - the function's own
    """What is carried: it runs what it is given."""
    return function(*args, **kwargs)
