"""Dask: calls that tasks make on workers belong to the cell, operation and run that submitted them.

    from nbtokens.workers.dask_plugin import record_on
    record_on(client)

The place goes along as an annotation of the tasks, so that neither functions nor keys change, and what Dask has
computed already stays computed. Each call is told of here, by Dask's own connection, as soon as it is recorded, and so
counts here before its task's result has come. A worker that sees the ledger of whoever submitted writes it itself;
what another one records is written here.
"""

from __future__ import annotations

import asyncio
import pickle
import threading
import time
from collections import OrderedDict
from contextlib import suppress
from dataclasses import replace
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

import dask
import msgspec
from distributed import WorkerPlugin

from nbtokens.context import current_place, current_run_id, enter_place, own_place
from nbtokens.fingerprint import KEY_NAME, Fingerprints
from nbtokens.guard import guarded
from nbtokens.record import decode
from nbtokens.workers.carried import office_of, pack, place_of, present_office

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from distributed import Client, Worker

    from nbtokens.context import Place
    from nbtokens.record import Record
    from nbtokens.workers.carried import Office

ANNOTATION: Final = "nbtokens"
TELL_EVERY: Final = 1.0
"""How often limits are told of, and asked for on workers, in seconds."""
_AS_OLD_AS: Final = 0.5
_MOST_SESSIONS: Final = 8
_MOST_WORKERS: Final = 1000


def record_on(client: Client) -> Awaitable[Any] | None:
    """Record what a cluster's workers call for this client, from here on; a second time does nothing.

    Recording must be on here (`%load_ext nbtokens`), and nbtokens installed on the workers. Workers that join later
    record too. Those that see the ledger's folder write it; others send their records here while this client lives.

    Returns:
        For a client that is asynchronous, what waits until its workers record; else nothing.
    """
    office = present_office()
    session = office.session.id if office is not None else ""
    registered = client.register_plugin(CallsOfTasks(session))
    if ANNOTATION not in vars(client):
        annotate_all(client)
        if office is not None:
            arrivals = _arrivals_of(office)
            own: Any = client
            own.subscribe_topic(topic_of(session), arrivals)
            own.loop.add_callback(_catch_up, client, topic_of(session), arrivals)
            own.loop.add_callback(_tell_of_limits, client, topic_of(session), arrivals, current_place())
    return asyncio.ensure_future(registered) if client.asynchronous else None


def annotate_all(client: Client) -> None:
    """Let what a client submits from here on take its place along."""
    if ANNOTATION not in vars(client):
        setattr(client, ANNOTATION, True)
        own: Any = client
        own._graph_to_futures = partial(_annotated, own._graph_to_futures)  # noqa: SLF001 - all submissions meet here


def topic_of(session: str) -> str:
    """Under which topic of Dask's the records of a session are sent home."""
    return f"nbtokens-{session}"


class CallsOfTasks(WorkerPlugin):
    """On a worker: runs each task of a session at the place that its annotation names, and tells home of its calls.

    Args:
        session: the session; what workers that have died on this machine could not send of it is sent first.
    """

    idempotent = True

    def __init__(self, session: str) -> None:
        self._session = session
        self.name = topic_of(session)

    def setup(self, worker: Worker) -> None:
        """Look at each task before it is run."""
        import_module("nbtokens.dask_worker").open_desk(worker, self._session)

    def teardown(self, worker: Worker) -> None:
        """Bring home what is there, and leave the worker as it was."""
        import_module("nbtokens.dask_worker").close_desk(worker, self._session)


class Arrivals:
    """At home: takes in the records that workers tell of, each once, whichever client they reach.

    Args:
        office: the recording that they are of.
    """

    def __init__(self, office: Office) -> None:
        self._office = office
        self._known: set[str] = set()
        self._lock = threading.Lock()
        self._taken: dict[str, str] = {}
        self._terms: tuple[float, Any, bytes | None] = 0.0, None, None

    def terms(self, place: Place) -> bytes | None:
        """The limits for workers, with what all calls have spent that have come, and others up to half a second ago.

        None while there never were any.

        Args:
            place: where work is handed over, or goes on.
        """
        budgets = self._office.budgets
        held = tuple(budgets.limits), budgets.team.standings, place.cell, place.execution_count, len(self._known)
        at, before, terms = self._terms
        if before != held or time.monotonic() > at + _AS_OLD_AS:
            if any(held[:2]) or terms is not None:
                terms = msgspec.json.encode(budgets.terms(self._office.session.reset_at, place, dict(self._taken)))
            self._terms = time.monotonic(), held, terms
        return terms

    def __call__(self, event: tuple[Any, dict[str, Any]]) -> None:
        """Something was sent. This is the client's own loop, which waits for no file."""
        with guarded:
            for sentence in event[1].get("notices", ()):
                self._office.tell(sentence)
            for key, is_kept, before, row in event[1]["rows"]:
                record = decode(row)
                if before is None and record.kind == "call":
                    self._note(event[1]["of"], record.id)
                if self._is_new(record, before):
                    self._take_in(record, key, before, is_kept=is_kept)

    def _note(self, worker: str, call: str) -> None:
        self._taken.pop(worker, None)
        if len(self._taken) >= _MOST_WORKERS:
            del self._taken[next(iter(self._taken))]
        self._taken[worker] = call

    def _is_new(self, record: Record, before: bytes | None) -> bool:
        name = record.id if before is None else f"{record.id} {record.cost_usd}"
        with self._lock:
            if name in self._known:
                return False
            self._known.add(name)
            return True

    def _take_in(self, record: Record, key: int | None, before: bytes | None, *, is_kept: bool) -> None:
        place = place_of(key) if key is not None else None
        scopes = place.scopes if place is not None else ()
        if before is not None:
            for scope in (self._office.session, *scopes):
                scope.amend(decode(before), record)
            return
        if not is_kept:
            self._office.keep_later(partial(self._office.store.append, record))
        if record.kind != "amend":
            self._office.count(record, scopes)


_arrivals: Final[OrderedDict[str, Arrivals]] = OrderedDict()


def _arrivals_of(office: Office) -> Arrivals:
    """What takes in the records of a session, for all of its clients."""
    if office.session.id not in _arrivals:
        _arrivals[office.session.id] = Arrivals(office)
        if len(_arrivals) > _MOST_SESSIONS:
            _arrivals.popitem(last=False)
    return _arrivals[office.session.id]


async def _catch_up(client: Any, topic: str, arrivals: Arrivals) -> None:  # noqa: ANN401 - a client of Dask
    """Take in what was sent while no client of ours listened."""
    with guarded:
        for event in await client.scheduler.events(topic=topic):
            arrivals(event)


async def _tell_of_limits(client: Any, topic: str, arrivals: Arrivals, place: Place) -> None:  # noqa: ANN401 - a client of Dask
    """Tell workers of the limits, while the client lives. They ask the scheduler, which keeps the latest."""
    enter_place(None)  # not that of the cell which called `record_on`
    told = None
    while client.status not in {"closing", "closed"}:
        with guarded:
            now = current_place()
            now = replace(now, notebook=now.notebook or place.notebook)
            terms = await asyncio.to_thread(arrivals.terms, now)
            if terms != told:
                with suppress(OSError):  # the scheduler is away
                    await client.scheduler.set_metadata(keys=[topic], value=terms)
                    told = terms
        await asyncio.sleep(TELL_EVERY)


def _annotated(original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - the client's own
    """Submit a graph, with the present place on its tasks."""
    annotation = None
    with guarded:
        annotation = _annotation()
    if annotation is None:
        return original(*args, **kwargs)
    annotate: Any = dask.annotate  # type: ignore[attr-defined]
    with annotate(**{ANNOTATION: annotation}):
        return original(*args, **kwargs)


def _annotation() -> bytes | None:
    """What tells a worker whose a task is; None where nothing is recorded."""
    place = own_place()
    office = office_of(place)
    if office is None:
        return None
    if place is not None and place.errand is not None and place.errand.forward is not None:
        return place.errand.forward(place)
    parcel = pack(place, current_run_id())
    if parcel is None:
        return None
    terms = _arrivals_of(office).terms(current_place())
    return pickle.dumps((office.session.id, _secret(office), parcel, terms))


def _secret(office: Office) -> bytes:
    """The key of the ledger's fingerprints, by which a worker that sees the folder knows it."""
    folder = office.config.folder
    Fingerprints(folder).of([b""])  # makes it, where there is none
    return (folder / KEY_NAME).read_bytes()
