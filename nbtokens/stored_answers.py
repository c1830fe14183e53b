"""Answers that are fetched later, from background work and from batches: each is one call, once, whoever asks again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from nbtokens.formats.batches import TIER, answers, is_result_file
from nbtokens.response_ids import ResponseIds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nbtokens.exchange import Exchange
    from nbtokens.record import Record
    from nbtokens.rows import Route

    ToRecord = Callable[[Exchange, Route, str | None], Record | None]

_MOST_WAITING: Final = 10_000
_FROM_REQUEST: Final = (
    "started_at",
    "run_id",
    "notebook",
    "cell",
    "execution_count",
    "attribution",
    "operation",
    "tags",
    "request_model",
    "max_tokens",
    "request_hash",
    "prefix_hash",
)
"""What the request for an answer knows, and the one that fetches it doesn't."""


class StoredAnswers:
    """Pairs the requests for answers that come later with these answers.

    Args:
        recorded: gives the ledger's records that it has not given before.
    """

    def __init__(self, recorded: Callable[[], Iterator[Record]]) -> None:
        self._ids = ResponseIds(recorded)
        self._awaited: dict[str, Record] = {}

    def after_fork(self) -> None:
        """In a forked child: the answers that are awaited are the parent's to keep."""
        self._ids.after_fork()
        self._awaited.clear()

    def await_answer(self, record: Record) -> bool:
        """Keep back the record of a request that was only accepted; False if its answer couldn't be known again."""
        if record.response_id is None or len(self._awaited) >= _MOST_WAITING:
            return False
        self._awaited[record.response_id] = record
        return True

    def unanswered(self) -> Iterator[Record]:
        """The records that were kept back and whose answers nobody has fetched; they are given up here."""
        while self._awaited:
            yield self._awaited.popitem()[1]

    def records(self, exchange: Exchange, route: Route, to_record: ToRecord) -> Iterator[Record]:
        """The records of the answers that an exchange has fetched, those that are new."""
        # How long it took to fetch an answer says nothing about how long it took to make it.
        fetched = msgspec.structs.replace(exchange, duration=None, time_to_first_chunk=None)
        for record in self._answered(fetched, route, to_record):
            if record.usage_source != "reported" or record.response_id is None:
                continue
            asked = self._awaited.pop(record.response_id, None)
            if self._ids.claim(record.response_id):
                yield record if asked is None else _belonging_to(record, asked)

    @staticmethod
    def _answered(exchange: Exchange, route: Route, to_record: ToRecord) -> Iterator[Record]:
        path = exchange.address.path
        if not is_result_file(exchange.method, path):
            record = to_record(exchange, route, None)
            if record is not None:
                yield record
            return
        for number, answer in enumerate(answers(exchange.body)):
            line = msgspec.structs.replace(exchange, body=answer.body)
            record = to_record(line, route._replace(reader=answer.reader), TIER)
            if record is not None:
                # Embeddings have no id; the file and the line are one.
                yield msgspec.structs.replace(record, response_id=record.response_id or f"{path}#{number}")


def _belonging_to(record: Record, asked: Record) -> Record:
    values = {name: getattr(asked, name) for name in _FROM_REQUEST}
    return msgspec.structs.replace(record, **{name: value for name, value in values.items() if value is not None})
