"""On a Dask worker: tasks run at the place that their annotation names, and home is told of their calls.

Nothing of nbtokens imports this; the plugin of `nbtokens.workers.dask_plugin` names it on the worker.
"""

from __future__ import annotations

import asyncio
import pickle
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from distributed import protocol

from nbtokens.context import enter_place
from nbtokens.employers import begin, end
from nbtokens.guard import guarded
from nbtokens.worker_home import Home
from nbtokens.workers.dask_plugin import ANNOTATION, TELL_EVERY, annotate_all, topic_of
from nbtokens.workers.stopped import as_exception, is_stop

if TYPE_CHECKING:
    from collections.abc import Callable

    from distributed import Client, Worker

    from nbtokens.context import Place

_DESK: Final = "nbtokens_desk"
_STOPPED: Final = b"BudgetExceeded"


class Desk:
    """What stands between a worker and its tasks, for all sessions whose tasks it runs.

    Args:
        worker: the worker.
    """

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self.homes: dict[str, Home] = {}
        own: Any = worker
        self._actor_execute = own.handlers["actor_execute"]
        own.execute = partial(self._execute, worker.execute)
        own._get_client = partial(self._get_client, own._get_client)  # noqa: SLF001 - what all clients of tasks come from
        own.handlers["actor_execute"] = self._execute_of_actor
        self._looking = asyncio.get_running_loop().create_task(self._look_on())

    def close(self) -> None:
        """Leave the worker as it was."""
        self._looking.cancel()
        own: Any = self._worker
        own.handlers["actor_execute"] = self._actor_execute
        for name in ("execute", "_get_client"):
            vars(own).pop(name, None)

    def home_of(self, session: str) -> Home:
        """What tells a session of its calls."""
        if session not in self.homes:
            self.homes[session] = Home(self._worker, topic_of(session), session)
        return self.homes[session]

    async def _look_on(self) -> None:
        """Look every second for limits, and for what a task's processes recorded, or workers that died."""
        while True:
            await asyncio.sleep(TELL_EVERY)
            for home in list(self.homes.values()):
                await asyncio.to_thread(home.send_others)
                with guarded, suppress(OSError):  # the scheduler is away
                    home.hear(await self._worker.scheduler.get_metadata(keys=[home.topic], default=None))

    def _place_of(self, key: Any) -> Place | None:  # noqa: ANN401 - Dask's own
        """Where a task was submitted; None where nobody says."""
        task = self._worker.state.tasks.get(key)
        annotation = (task.annotations or {}).get(ANNOTATION) if task is not None else None
        if annotation is None:
            return None
        session, secret, parcel, terms = pickle.loads(annotation)  # noqa: S301 - as trusted as the task that it came with
        return self.home_of(session).place_of(pickle.loads(parcel), secret, terms)  # noqa: S301 - the same

    async def _at_its_place(self, key: Any, work: Callable[[], Any]) -> Any:  # noqa: ANN401 - Dask's own
        """Do something for a task, on a loop's task of its own: the place holds for it, and its thread gets a copy."""
        place = None
        with guarded:
            place = self._place_of(key)
        if place is None:
            return await work()
        enter_place(place)
        begin(place)
        try:
            return await work()
        finally:
            end(place)

    async def _execute(self, original: Callable[..., Any], key: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - the worker's own
        done = await self._at_its_place(key, partial(original, key, **kwargs))
        with guarded:
            _mend_stop(done)
        for home in self.homes.values():
            home.send()  # what is to be said of it, ahead of its result
        return done

    async def _execute_of_actor(self, actor: Any = None, **kwargs: Any) -> Any:  # noqa: ANN401 - the worker's own
        """What an actor does belongs to where it was made."""
        return await self._at_its_place(actor, partial(self._actor_execute, actor=actor, **kwargs))

    @staticmethod
    def _get_client(original: Callable[..., Client], *args: Any, **kwargs: Any) -> Client:  # noqa: ANN401 - the worker's own
        """What tasks submit themselves belongs to where they were submitted."""
        client = original(*args, **kwargs)
        with guarded:
            annotate_all(client)
        return client


def open_desk(worker: Worker, session: str) -> None:
    """From here on, tasks of a session run at their places. For others nothing changes."""
    desk = vars(worker).get(_DESK)
    if desk is None:
        desk = Desk(worker)
        setattr(worker, _DESK, desk)
    with guarded:
        desk.home_of(session)


def close_desk(worker: Worker, session: str) -> None:
    """A session records here no more, or the worker ends: bring home what there is."""
    desk = vars(worker).get(_DESK)
    if desk is None:
        return
    home = desk.homes.pop(session, None)
    if home is not None:
        home.close()
    if not desk.homes:
        desk.close()
        delattr(worker, _DESK)


def _mend_stop(done: Any) -> None:  # noqa: ANN401 - an event of the worker's
    """The error of a stopped call, as one that a client of Dask raises: it knows `Exception` alone."""
    pickled = getattr(getattr(done, "exception", None), "data", None)
    if not isinstance(pickled, bytes) or _STOPPED not in pickled:
        return
    dasks: Any = protocol
    error = dasks.pickle.loads(pickled)
    if is_stop(error):
        done.exception = dasks.to_serialize(dasks.pickle.dumps(as_exception(error)))
