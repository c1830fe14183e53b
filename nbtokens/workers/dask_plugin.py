"""Dask: calls that tasks make on workers belong to the cell, operation and run that submitted them.

    from nbtokens.workers.dask_plugin import record_on
    record_on(client)

The place goes along as an annotation of the tasks, so that neither functions nor keys change, and what Dask has
computed already stays computed. A worker writes the ledger of whoever submitted, if it sees its folder; else a journal
of its own, whose rows it sends home by Dask's own connection. Each call is one record, also where its task is run
again or its worker is killed afterwards.
"""

from __future__ import annotations

import asyncio
import pickle
import threading
from contextvars import ContextVar
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

import dask
from distributed import WorkerPlugin

from nbtokens.context import enter_place, own_place
from nbtokens.fingerprint import KEY_NAME, Fingerprints
from nbtokens.guard import guarded
from nbtokens.record import decode
from nbtokens.workers.carried import carry, present_office

if TYPE_CHECKING:
    from collections.abc import Callable

    from distributed import Client, Worker

    from nbtokens.workers.carried import Office

_ANNOTATION: Final = "nbtokens"
_SEND_EVERY: Final = 1.0
_work: Final[ContextVar[Callable[..., Any] | None]] = ContextVar("nbtokens_dask_work", default=None)


def record_on(client: Client) -> None:
    """Record what a cluster's workers call for this client, from here on; a second time does nothing.

    Recording must be on here (`%load_ext nbtokens`), and nbtokens installed on the workers. Workers that join later
    record too. Those that see the ledger's folder write it; others send their records here while this client lives.
    """
    office = present_office()
    session = office.session.id if office is not None else ""
    client.register_plugin(CallsOfTasks(session))
    if _ANNOTATION not in vars(client):
        setattr(client, _ANNOTATION, True)
        own: Any = client
        own._graph_to_futures = partial(_annotated, own._graph_to_futures)  # noqa: SLF001 - all submissions meet here
        if office is not None:
            own.subscribe_topic(_topic(session), Arrivals(office))


class Arrivals:
    """At home: takes in the records that workers send, each once.

    Args:
        office: the recording that they are of.
    """

    def __init__(self, office: Office) -> None:
        self._office = office
        self._known: set[str] = set()
        self._lock = threading.Lock()

    def __call__(self, event: tuple[Any, dict[str, list[bytes]]]) -> None:
        """Something was sent; this is the client's own loop, which waits for no file."""
        with guarded:
            self._office.keep_later(partial(self._take_in, event[1]["rows"]))

    def _take_in(self, rows: list[bytes]) -> None:
        for row in rows:
            record = decode(row)
            with self._lock:
                is_new = record.id not in self._known
                self._known.add(record.id)
            if is_new:
                self._office.store.append(record)
                if record.kind != "amend":
                    self._office.count(record, ())


class CallsOfTasks(WorkerPlugin):
    """On a worker: runs each task at the place that its annotation names, and sends home what it recorded.

    Args:
        session: whose records of workers that have died on this machine are sent first.
    """

    name = "nbtokens"

    def __init__(self, session: str) -> None:
        self._session = session

    def setup(self, worker: Worker) -> None:
        """Look at each task before it is run, and at what is given to the threads."""
        self._homes: dict[str, Any] = {}
        self._worker = worker
        with guarded:
            self._home_of(self._session)
        self._sending = asyncio.get_running_loop().create_task(self._send_on())
        own: Any = worker
        own.execute = partial(self._execute, worker.execute)
        executor: Any = worker.executors["default"]
        executor.submit = partial(self._submit, executor.submit)

    def teardown(self, worker: Worker) -> None:
        """Leave the worker as it was."""
        self._sending.cancel()
        vars(worker).pop("execute", None)
        vars(worker.executors["default"]).pop("submit", None)
        for home in self._homes.values():
            home.send_all()

    def _home_of(self, session: str) -> Any:  # noqa: ANN401 - of a floor above, which may be missing on the worker
        """What sends the records of a session."""
        if session not in self._homes:
            self._homes[session] = import_module("nbtokens.worker_home").Home(self._worker, _topic(session), session)
        return self._homes[session]

    async def _send_on(self) -> None:
        """Send every second what came after its task, as of a stream that was closed late."""
        while True:
            await asyncio.sleep(_SEND_EVERY)
            for home in list(self._homes.values()):
                await asyncio.to_thread(home.send)

    async def _execute(self, original: Callable[..., Any], key: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - the worker's own
        """Run a task, on a loop's task of its own: what is set here holds for it alone."""
        with guarded:
            task = self._worker.state.tasks.get(key)
            annotation = (task.annotations or {}).get(_ANNOTATION) if task is not None else None
            if annotation is not None:
                session, secret, parcel = pickle.loads(annotation)  # noqa: S301 - as trusted as the task that it came with
                home = self._home_of(session)
                import_module("nbtokens.worker").record_elsewhere(lambda config: home.config_for(config, secret))
                work = pickle.loads(parcel)  # noqa: S301 - the same
                enter_place(work(own_place))  # the thread gets a copy of this context
                _work.set(partial(_send_behind, home.send, work))
        return await original(key, **kwargs)

    @staticmethod
    def _submit(original: Callable[..., Any], function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - the executor's own
        """Give a task to the threads: its run's name, which holds for the process, is that of the task meanwhile."""
        work = _work.get()
        return original(function, *args, **kwargs) if work is None else original(work, function, *args, **kwargs)


def _topic(session: str) -> str:
    return f"nbtokens-{session}"


def _annotated(original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - the client's own
    """Submit a graph, with the present place on its tasks."""
    annotation = None
    with guarded:
        function, office = carry(_run), present_office()
        if office is not None:  # recording is on
            annotation = pickle.dumps((office.session.id, _secret(office), pickle.dumps(function)))
    if annotation is None:
        return original(*args, **kwargs)
    annotate: Any = dask.annotate  # type: ignore[attr-defined]
    with annotate(**{_ANNOTATION: annotation}):
        return original(*args, **kwargs)


def _secret(office: Office) -> bytes:
    """The key of the ledger's fingerprints, by which a worker that sees the folder knows it."""
    folder = office.config.folder
    Fingerprints(folder).of([b""])  # makes it, where there is none
    return (folder / KEY_NAME).read_bytes()


def _send_behind(send: Callable[[], None], work: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - the task's own
    """Run a task, and send its records before its result."""
    try:
        return work(*args, **kwargs)
    finally:
        send()


def _run(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - the function's own
    """What is carried: it runs what it is given."""
    return function(*args, **kwargs)
