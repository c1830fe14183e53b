"""What a user asks about calls: totals, statistics, a DataFrame, a summary; of a session or of the whole history."""

from __future__ import annotations

import threading
from collections import deque
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from nbtokens.analysis.scores import averages, scores_of
from nbtokens.analysis.selection import fields_of, in_totals
from nbtokens.analysis.token_stats import stats_of_totals
from nbtokens.decimals import exactly
from nbtokens.history.totals import Sums, Totals
from nbtokens.reports.figures import in_brief

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from collections.abc import Set as AbstractSet
    from pathlib import Path

    import pandas as pd

    from nbtokens.analysis.findings import Findings
    from nbtokens.analysis.media import Media
    from nbtokens.analysis.savings import Wasted
    from nbtokens.analysis.scores import Average
    from nbtokens.analysis.selection import Selection
    from nbtokens.analysis.token_stats import TokenStats
    from nbtokens.analysis.validation import Validation
    from nbtokens.analysis.what_if import Alike
    from nbtokens.history.columns import Columns
    from nbtokens.history.store import Store
    from nbtokens.record import Record
    from nbtokens.thresholds import Thresholds

_FOLD_AT = 4096
_RECENT = 1000


class History:
    """Every call that was ever recorded in this project, by any kernel or script.

    Args:
        store: where the records are.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    @property
    def path(self) -> Path:
        """The file that holds the records."""
        return self._store.journal.path

    @property
    def totals(self) -> Totals:
        """Sums and distributions, as they are now."""
        return self._store.totals()

    @property
    def sums(self) -> Sums:
        """All calls in one: counts, tokens, USD, seconds."""
        return self._store.view(lambda totals: totals.sums())

    def stats(self, model: str | None = None, operation: str | None = None) -> dict[str, dict[str, Any]]:
        """count, avg, min, max, p50, p95, p99, sum of each measure, over the calls that succeeded.

        Args:
            model: only calls of this model.
            operation: only calls of this operation; without a label, those of this kind.
        """
        return self._store.view(lambda totals: totals.stats(model, operation))

    def records(self) -> Iterator[Record]:
        """The records, oldest first, amendments folded in."""
        return self._store.records()

    def select(self, which: Selection) -> Iterator[Record]:
        """The records that are selected."""
        return which.of(self.records())

    def scored(self) -> Iterator[Columns]:
        """The records, among them all that hold scores."""
        return self._store.columns({"ref", "scores"})

    def columns(self, which: Selection, fields: AbstractSet[str] | None = None) -> Iterator[Columns]:
        """The records that are selected, by columns; of these the fields that are named, or all."""
        return which.within(self._store.columns(None if fields is None else fields | which.fields))

    def spent(self, which: Selection) -> tuple[Totals, Wasted]:
        """The sums of what is selected, from totals where everything is; and what of it was wasted."""
        from nbtokens.analysis.summing import FIELDS as ADDED  # noqa: PLC0415 - numpy, only where rows are read
        from nbtokens.analysis.summing import Adding  # noqa: PLC0415 - the same
        from nbtokens.analysis.waste import FIELDS, Waste  # noqa: PLC0415 - the same

        known, waste = self.totals_of(which, measures=False), Waste()
        totals = Totals() if known is None else known
        adding = Adding(totals)
        for columns in self.columns(which, FIELDS if known is not None else FIELDS | ADDED):
            waste.look(columns)
            if known is None:
                adding.add(columns)
            del columns  # before more are read, into warm memory
        adding.end()
        return totals, waste.found()

    def findings(self, which: Selection, limits: Thresholds) -> Findings:
        """What `check` goes by, of the calls that are selected."""
        from nbtokens.analysis.seen import FIELDS, Seen  # noqa: PLC0415 - numpy, only where rows are read

        seen = Seen(limits)
        for columns in self.columns(which, FIELDS):
            seen.look(columns)
            del columns  # before more are read, into warm memory
        return seen.findings()

    def validation(self, which: Selection, name: str, drawn: int = 0) -> Validation:  # noqa: ARG002 - they are read here
        """What `validate` tests, of the calls that are selected; `drawn` of them are to be at hand for a plot."""
        from nbtokens.analysis.validation import FIELDS, validate  # noqa: PLC0415 - only where it is asked for

        return validate(self.columns(which, FIELDS), name)

    @exactly
    def token_stats(self, which: Selection, by: Sequence[str]) -> TokenStats:
        """The statistics of what is selected, read from as little as they need."""
        totals = self.totals_of(which) if all(in_totals(one) for one in by) else None
        if totals is not None:
            return stats_of_totals(totals, by)
        from nbtokens.analysis.summing import FIELDS, stats_of_columns  # noqa: PLC0415 - numpy, only where rows are read

        return stats_of_columns(self.columns(which, FIELDS.union(*map(fields_of, by))), by)

    def media(self, which: Selection) -> dict[str, Media]:
        """`pages` and `images` -> what the calls that are selected read of them."""
        from nbtokens.analysis.media import FIELDS, media_of  # noqa: PLC0415 - only where it is asked for

        return media_of(self.columns(which, FIELDS))

    def average_scores(self, which: Selection, by: Sequence[str]) -> dict[str, dict[str | None, dict[str, Average]]]:
        """For each dimension and group, the averages of scores by name; under "" those of all calls."""
        scores = scores_of(self.scored())
        return averages(self.columns(which) if scores else (), scores, by)

    def alike(self, which: Selection, sizes: Sequence[int]) -> Iterator[Alike]:
        """The calls that are selected, those of one model between two sizes together."""
        from nbtokens.analysis.alike import FIELDS, alike  # noqa: PLC0415 - numpy, only where rows are read

        return alike(self.columns(which, FIELDS), sizes)

    def totals_of(self, which: Selection, *, measures: bool = True) -> Totals | None:  # noqa: ARG002 - here they are kept
        """Sums and, if asked for, distributions of what is selected; None where only the records can tell."""
        return self.totals if which.everything else None

    @exactly
    def frame(self) -> pd.DataFrame:
        """The records as a DataFrame: one row a record, the columns of docs/record.md."""
        from nbtokens.reports.frame import frame_of_columns  # noqa: PLC0415 - pandas only where it is asked for

        return frame_of_columns(self._store.columns())

    def summary(self) -> str:
        """USAGE_SUMMARY.md, as it would be written now."""
        from nbtokens.reports.summary import summary_of  # noqa: PLC0415 - not on the path of a call

        return self._store.view(summary_of)

    def __repr__(self) -> str:
        return f"<history {self.path}: {in_brief(self.sums)}>"


class Session:
    """The calls of this kernel, or process, since it started or since `reset`.

    Args:
        store: where the records are kept for good.
        session_id: what their `session` field holds.
        started_at: when the session began, UTC.

    Attributes:
        started_at: when it began, or was last reset.
        reset_at: when it was last reset; None where it never was.
    """

    def __init__(self, store: Callable[[], Store], session_id: str, started_at: datetime) -> None:
        self.id = session_id
        self.started_at = started_at
        self.reset_at: datetime | None = None
        self._store = store
        self._lock = threading.Lock()
        self._totals = Totals()
        self._new: deque[Record] = deque()
        self._of_earlier_times: set[str] = set()
        self.recent: deque[Record] = deque(maxlen=_RECENT)
        """The latest records, for telling whether an answer is recorded."""

    def add(self, record: Record) -> None:
        """Take one more record in."""
        self._new.append(record)
        self.recent.append(record)
        if record.started_at < self.started_at:  # recorded by hand
            self._of_earlier_times.add(record.id)
        if len(self._new) >= _FOLD_AT:
            self.fold()

    @exactly
    def amend(self, before: Record, after: Record) -> None:
        """A record that was counted already has another price."""
        with self._lock:
            self._take_new()
            self._totals.amend(before, after)

    def call_of(self, response_id: str) -> Record | None:
        """The call that an answer belongs to, if it is among the last thousand records."""
        found = (one for one in reversed(tuple(self.recent)) if one.response_id == response_id and one.kind == "call")
        return next(found, None)

    def reset(self, now: datetime | None = None) -> None:
        """Begin to count anew. The history keeps everything.

        Args:
            now: from when on calls count, with its zone; from now on by default.
        """
        with self._lock:
            self._new.clear()
            self._totals = Totals()
            self._of_earlier_times.clear()
            self.started_at = self.reset_at = now or datetime.now(UTC)

    @property
    def totals(self) -> Totals:
        """Sums and distributions, as they are now."""
        with self._lock:
            self._take_new()
            return self._totals + Totals()

    @property
    def sums(self) -> Sums:
        """All calls in one: counts, tokens, USD, seconds."""
        with self._lock:
            self._take_new()
            return self._totals.sums()

    def stats(self, model: str | None = None, operation: str | None = None) -> dict[str, dict[str, Any]]:
        """count, avg, min, max, p50, p95, p99, sum of each measure, over the calls that succeeded.

        Args:
            model: only calls of this model.
            operation: only calls of this operation; without a label, those of this kind.
        """
        with self._lock:
            self._take_new()
            return self._totals.stats(model, operation)

    def records(self) -> Iterator[Record]:
        """The records, oldest first, read from the history."""
        for columns in self._store().columns():
            yield from filter(self.holds, columns.where("session", self.id.__eq__).records())

    @property
    def of_earlier_times(self) -> frozenset[str]:
        """The ids of the records that count although they began before the session, or its reset: recorded by hand."""
        return frozenset(self._of_earlier_times)

    def holds(self, record: Record) -> bool:
        """Whether a record is one of this session's."""
        return record.session == self.id and (
            record.started_at >= self.started_at or record.id in self._of_earlier_times
        )

    @exactly
    def frame(self) -> pd.DataFrame:
        """The records as a DataFrame: one row a record, the columns of docs/record.md."""
        from nbtokens.reports.frame import frame_of  # noqa: PLC0415 - pandas only where it is asked for

        return frame_of(self.records())

    def __repr__(self) -> str:
        return f"<session {self.id}: {in_brief(self.sums)}>"

    def after_fork(self) -> None:
        """In a forked child: the lock may be held by a thread that lives in the parent only."""
        self._lock = threading.Lock()

    def fold(self) -> None:
        """Add up what is new, so that it need not be kept."""
        with self._lock:
            self._take_new()

    @exactly
    def _take_new(self) -> None:
        while self._new:
            self._totals.add(self._new.popleft())
