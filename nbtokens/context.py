"""Where a call belongs: the cell, operation and run that are current when its request is sent."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextvars import ContextVar, Token
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar, Final, Literal, Protocol, TypeAlias

from nbtokens.otlp import destination

if TYPE_CHECKING:
    from collections.abc import Callable

    from nbtokens.otlp import Destination
    from nbtokens.record import Record

TagValue: TypeAlias = str | int | float | bool | list[str]
Tags: TypeAlias = Mapping[str, TagValue]
Attribution: TypeAlias = Literal["exact", "inferred", "none"]


class Scope(Protocol):
    """Something that is told of every record of the calls started inside it: an operation, a cell."""

    def add(self, record: Record) -> None:
        """Take one more record in."""

    def amend(self, before: Record, after: Record) -> None:
        """A record that was taken in has another price now."""


@dataclass(frozen=True, slots=True)
class Errand:
    """Work for another process.

    Attributes:
        run_id: the name of the run that it belongs to.
        recorder: what records here for that process.
        forward: what to send along with work that goes on from here to yet another machine.
    """

    run_id: str | None
    recorder: object
    forward: Callable[[Place], bytes] | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """The cell, operation and run that a call belongs to.

    Attributes:
        notebook: the notebook's path, relative to the project; None outside of notebooks.
        cell: the cell's id, or a hash of its source where the front end gives no id.
        execution_count: the number that the notebook shows beside the cell.
        attribution: `exact` when the call's own context says so, `inferred` when it was made while that
            cell ran, by a thread that carries no context; `none` without a cell.
        operation: the user's label.
        tags: what the user attached to the operation.
        scopes: who is told of the call's record, from the outermost in.
        entered: the operation that made this place out of `outer`.
        outer: the place around the operation.
        errand: where the work has come from another process: what came along with it.
    """

    notebook: str | None = None
    cell: str | None = None
    execution_count: int | None = None
    attribution: Attribution = "none"
    operation: str | None = None
    tags: Tags = field(default_factory=dict)
    scopes: tuple[Scope, ...] = ()
    entered: Scope | None = None
    outer: Place | None = None
    errand: Errand | None = None


NOWHERE: Final = Place()

_place: ContextVar[Place | None] = ContextVar("nbtokens_place", default=None)
_observing: ContextVar[bool] = ContextVar("nbtokens_observing", default=False)


class _Process:
    """What holds for the whole process: the cell that runs now, the run's name, and what else the environment says.

    Attributes:
        running_cell: where calls belong that carry no place, as a guess.
        under_way: the guesses for other processes' work that is being done here, the latest last.
        only_carried: this process works for others: only what they handed over to it is recorded.
        destination: where OpenTelemetry's metrics go, as the environment says.
    """

    running_cell: Place | None = None
    under_way: ClassVar[dict[int, Place]] = {}
    only_carried: bool = False
    run_id: str | None = None
    run_id_outside: str | None = None
    destination: Destination | None = None


def current_place() -> Place:
    """The place of a call that is sent now, from here."""
    place = _place.get()
    if place is not None:
        return place
    return _Process.running_cell or NOWHERE


own_place: Final = _place.get
"""The place that this context carries; None where it carries none, and a call would belong to the running cell."""

enter_place: Final = _place.set
"""Let this context carry another place, or none (None); returns what `leave_place` undoes it with."""

leave_place: Final = _place.reset
"""Undo `enter_place`; only for where both are done by one function, in one context."""


def infer(place: Place | None) -> None:
    """From here on, calls that carry no place are taken for calls of this one, whatever they were taken for before."""
    _Process.under_way.clear()
    _Process.running_cell = None
    if place is not None:
        infer_meanwhile(place)


def infer_meanwhile(place: Place) -> None:
    """Take calls that carry no place for calls of this one, until `infer_no_more`. Several may be under way at once."""
    _Process.running_cell = _Process.under_way[id(place)] = replace(place, attribution=_guessed(place))


def infer_no_more(place: Place) -> None:
    """The work of a place is done: such calls are taken for those of the latest that is still under way."""
    _Process.under_way.pop(id(place), None)
    _Process.running_cell = next(reversed(_Process.under_way.values()), None)


def record_only_carried(*, only: bool) -> None:
    """Whether calls that carry no place are passed over while nothing that was handed over is running."""
    _Process.only_carried = only


def records_only_carried() -> bool:
    """Whether that holds now."""
    return _Process.only_carried


def is_passed_over() -> bool:
    """Whether a call from here is nobody's: a worker process makes it, for work that was not handed over to it."""
    return _Process.only_carried and _Process.running_cell is None and _place.get() is None


def _guessed(place: Place) -> Attribution:
    return "none" if place.attribution == "none" else "inferred"


def enter_cell(place: Place) -> None:
    """From here on, calls of this context belong to `place`, and so do calls of threads without a context."""
    _place.set(place)
    read_environment()
    _Process.running_cell = replace(place, attribution="inferred")


def leave_cell() -> None:
    """No cell runs any more. Tasks that were started in one keep theirs."""
    _place.set(None)
    _Process.running_cell = None


def push_operation(name: str | None, tags: Tags, *scopes: Scope) -> None:
    """Make `scopes` the innermost ones of this context, with a name and tags, until `pop_operation` of the last one.

    A scope that is entered inside of itself is told of each call once all the same.
    """
    outer = current_place()
    _place.set(
        replace(
            outer,
            operation=name if name is not None else outer.operation,
            tags={**outer.tags, **tags},
            scopes=(*outer.scopes, *(scope for scope in scopes if scope not in outer.scopes)),
            entered=scopes[-1],
            outer=_place.get(),
        )
    )


def pop_operation(scope: Scope) -> None:
    """Leave what `push_operation` entered.

    No token is kept: tasks may enter one operation at the same time, each in its own context, and a generator
    may be closed in another context than it was started in; there, then, nothing is to undo.
    """
    place = _place.get()
    if place is not None and place.entered is scope:
        _place.set(place.outer)


def check_tag(key: str, value: object) -> None:
    """Make sure that a value can be a tag.

    Raises:
        TypeError: it can't.
    """
    if isinstance(value, str | int | float | bool):
        return
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return
    raise TypeError(
        f"The tag {key!r} is a {type(value).__name__}; a tag is text, a number, true or false, or a list of texts."
    )


def is_observed() -> bool:
    """Whether an outer layer already observes the HTTP attempt that is being made in this context."""
    return _observing.get()


def begin_observing() -> Token[bool]:
    """Tell the layers below that the attempt they are about to make is observed already."""
    return _observing.set(True)


def end_observing(token: Token[bool]) -> None:
    """Undo `begin_observing`. A request that is closed from another context has nothing to undo there."""
    try:
        _observing.reset(token)
    except ValueError:
        return


def current_run_id() -> str | None:
    """The run's name: set in code, else `NBTOKENS_RUN_ID`, else the one that papermill gives its kernels.

    Work for another process has the name that came along with it.
    """
    place = _place.get() or _Process.running_cell
    named = _Process.run_id if place is None or place.errand is None else place.errand.run_id
    return named or _Process.run_id_outside


def metrics_destination() -> Destination | None:
    """Where the environment says that OpenTelemetry's metrics go."""
    return _Process.destination


def read_environment() -> None:
    """Read the environment; done at start and before each cell, not for each call."""
    _Process.run_id_outside = os.environ.get("NBTOKENS_RUN_ID") or os.environ.get("PAPERMILL_RUN_ID") or None
    _Process.destination = destination()


def set_run_id(name: str | None) -> str | None:
    """Name the run from here on, in the whole process, or for another process's work; returns the name before."""
    place = _place.get()
    if place is not None and place.errand is not None:
        _place.set(replace(place, errand=replace(place.errand, run_id=name)))
        return place.errand.run_id
    before, _Process.run_id = _Process.run_id, name
    return before
