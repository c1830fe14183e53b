"""A function that takes its place along: to another thread, or to another process, which then records for this one."""

from __future__ import annotations

import os
import pickle
from collections import OrderedDict
from dataclasses import dataclass, replace
from secrets import token_hex
from typing import TYPE_CHECKING, Any, Final, ParamSpec, Protocol, TypeVar, cast

from nbtokens.context import Place, current_run_id, enter_place, leave_place, own_place
from nbtokens.guard import guarded
from nbtokens.workers.stopped import as_exception, is_stop
from nbtokens.workers.unseen import take_out_frame

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from nbtokens.config import Config
    from nbtokens.context import Scope
    from nbtokens.handed_limits import Handed, Terms
    from nbtokens.history.store import Store
    from nbtokens.limits import Limit
    from nbtokens.record import Record
    from nbtokens.shared_budgets import Known
    from nbtokens.views import Session

P = ParamSpec("P")
R = TypeVar("R")

_MOST_KEPT: Final = 1024
_STARTED: Final = token_hex(8)

# What a child process evaluates when it unpickles: where nbtokens can't be imported or fails, the work runs without it.
_TAKE_UP: Final = """
try:
    from nbtokens.worker import take_up
    value = take_up(value, parcel)
except Exception:
    pass
"""
_EVALUATE: Final = "[exec(source, names), names['value']][1]"


class Holding(Protocol):
    """The limits of a recording.

    Attributes:
        limits: those of this process.
        team: those of its team.
    """

    limits: list[Limit]
    team: Known

    def handed(self, reset_at: datetime | None, place: Place | None) -> Handed | None:
        """What a process needs to hold them that shares the ledger."""

    def terms(self, reset_at: datetime | None, place: Place, taken: dict[str, str]) -> Terms:
        """What a process needs that may not."""


class Office(Protocol):
    """The recording that work is handed out from."""

    @property
    def config(self) -> Config:
        """Where the ledger lies, and the settings."""

    @property
    def session(self) -> Session:
        """The session that children's records belong to."""

    @property
    def store(self) -> Store:
        """The history."""

    @property
    def budgets(self) -> Holding:
        """The limits."""

    def tell(self, sentence: str) -> None:
        """Say something to the user, once."""

    def count(self, record: Record, scopes: Iterable[Scope]) -> None:
        """Let those know who count a record that is kept already."""

    def keep_later(self, record: Record | Callable[[], None]) -> None:
        """Append a record on another thread, or do what makes and keeps one."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """What goes along to another process.

    Attributes:
        config: where the ledger lies, and the settings.
        session: the session's id.
        run_id: the run's name.
        place: where the work was handed over; without those who count there, which stay at home.
        key: by which the sender knows the place again.
        sender: the sender's process.
        user: who makes the calls, wherever that is.
        handed: the limits that hold.
    """

    config: Config
    session: str
    run_id: str | None
    place: Place | None
    key: int
    sender: str
    user: str | None = None
    handed: Handed | None = None

    @property
    def is_own(self) -> bool:
        """Whether this process has sent it."""
        return self.sender == this_process()


class _Handing:
    """What is handed out, and from where.

    Attributes:
        office: None while nothing is recorded; work then goes as it is.
        places: those that went to other processes, by key.
    """

    office: Office | None = None
    places: Final[OrderedDict[int, Place | None]] = OrderedDict()


def this_process() -> str:
    """A name that no other process has, on whatever machine."""
    return f"{os.getpid()}-{_STARTED}"


def open_office(office: Office | None) -> None:
    """Let work that is pickled from here on tell of its recording; None: of none."""
    _Handing.office = office


def present_office() -> Office | None:
    """What work is handed out from; None while nothing is recorded."""
    return _Handing.office


def office_of(place: Place | None) -> Office | None:
    """What work is handed out from at a place: where it has come from another process, what records for that one."""
    office = _Handing.office
    if office is None or place is None or place.errand is None:
        return office
    return cast("Office", place.errand.recorder)


def place_of(key: int) -> Place | None:
    """The place that a key was given for; None where that is too long ago."""
    return _Handing.places.get(key)


def reduced(value: Any, parcel: bytes | None, source: str = _TAKE_UP) -> tuple[Any, ...]:  # noqa: ANN401 - anything
    """How to pickle `value` with a parcel, so that any Python can unpickle it, with nbtokens or without."""
    if parcel is None:
        return eval, ("value", {"value": value})
    return eval, (_EVALUATE, {"source": source, "names": {"value": value, "parcel": parcel}})


def pack(place: Place | None, run_id: str | None) -> bytes | None:
    """A parcel, pickled; None where there is nothing to tell. Never raises."""
    office = office_of(place)
    if office is None:
        return None
    with guarded:
        key = id(place)  # the place is kept, so that no other can have its id
        _Handing.places[key] = place
        if len(_Handing.places) > _MOST_KEPT:
            _Handing.places.popitem(last=False)
        alone = replace(place, scopes=(), entered=None, outer=None, errand=None) if place is not None else None
        handed = office.budgets.handed(office.session.reset_at, place)
        sender, user = this_process(), office.config.user
        return pickle.dumps(Parcel(office.config, office.session.id, run_id, alone, key, sender, user, handed))
    return None


class Carried:
    """A function that is run at a place. It can be pickled if the function can.

    Args:
        function: what is run.
        place: where; None: nowhere in particular.
        delivers: its results go straight back to this process, and may bring the records of its calls along.
    """

    __slots__ = ("_delivers", "_function", "_place", "_run_id")

    def __init__(self, function: Callable[..., Any], place: Place | None, *, delivers: bool) -> None:
        self._function = function
        self._place = place
        self._run_id = current_run_id()
        self._delivers = delivers

    def __call__(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - the function's own
        """Run it at its place."""
        token = enter_place(self._place)
        try:
            return self._function(*args, **kwargs)
        except BaseException as error:
            take_out_frame(error)
            if self._delivers and is_stop(error):
                raise as_exception(error) from error.__cause__
            raise
        finally:
            leave_place(token)

    def __reduce__(self) -> tuple[Any, ...]:
        source = _TAKE_UP.replace("parcel)", "parcel, delivers=True)") if self._delivers else _TAKE_UP
        return reduced(self._function, pack(self._place, self._run_id), source)

    def __repr__(self) -> str:
        return repr(self._function)


def carry(function: Callable[P, R]) -> Callable[P, R]:
    """The function, to be run elsewhere, with the present cell, operation and run.

    For schedulers that nbtokens does not know: what the function calls belongs to where `carry` was called, on
    whatever thread it runs. It can be pickled if the function can; in another process it records into this one's
    ledger, and where nbtokens is not installed there, it just runs. While nothing is recorded it is `function`.
    """
    if _Handing.office is None:
        return function
    carried: Any = Carried(function, own_place(), delivers=False)
    return carried  # type: ignore[no-any-return]
