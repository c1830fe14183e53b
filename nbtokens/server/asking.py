"""What a request asks for, made sure of: anything that can't be meant is refused with a 4xx and a sentence."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

from nbtokens.errors import NbtokensError
from nbtokens.server.data import Page, Period

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nbtokens.server.answers import Answers

USUAL_DAYS: Final = 30
MOST_DAYS: Final = 3660
USUAL_PER_PAGE: Final = 100
MOST_PER_PAGE: Final = 1000
MOST_PAGES: Final = 1_000_000
LONGEST_NAME: Final = 256
NAME_PATTERN: Final = r"^[^\u0000-\u001f\u007f-\u009f]+$"
"""No control characters."""
_NAME: Final = re.compile(NAME_PATTERN)
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_WHOLE: Final = re.compile(r"[0-9]{1,9}")


class RefusedError(NbtokensError):
    """The request can't be answered.

    Attributes:
        status: the HTTP status, 4xx or 503.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that came through the door.

    Attributes:
        data: where the answers come from.
        today: the UTC day.
        only: whose calls the caller may see; None: everybody's.
        name: the name in the path, where there is one.
        query: the values of each parameter.
        body: what was posted.
        content_type: of what was posted.
    """

    data: Answers
    today: date
    only: str | None = None
    name: str = ""
    query: Mapping[str, Sequence[str]] | None = None
    body: bytes = b""
    content_type: str = ""

    def parameter(self, name: str) -> str:
        """The value of a parameter; empty where it is left out.

        Raises:
            RefusedError: it is given twice.
        """
        values = (self.query or {}).get(name, ())
        if len(values) > 1:
            raise RefusedError(400, f"{name} is given {len(values)} times; give it once.")
        return values[0] if values else ""


def name_of(asked: Asked) -> str:
    """The name in the path.

    Raises:
        RefusedError: it can't be one.
    """
    if len(asked.name) > LONGEST_NAME or not _NAME.fullmatch(asked.name):
        raise RefusedError(400, f"The name must have 1 to {LONGEST_NAME} characters, and no control characters.")
    return asked.name


def period_of(asked: Asked) -> Period:
    """The days that are asked for: from `start_date` to `end_date`, or the last `days` until `end_date` or today.

    Raises:
        RefusedError: a date or a number is none, or the period ends before it begins.
    """
    days = _whole(asked, "days", USUAL_DAYS, MOST_DAYS)
    start, end = _date(asked, "start_date"), _date(asked, "end_date")
    if end is None:
        end = asked.today if start is None else max(asked.today, start)
    if start is None:
        start = end - timedelta(days=min(days - 1, (end - date.min).days))
    if start > end:
        raise RefusedError(400, f"start_date {start} is after the end, {end}.")
    return Period(start, end)


def page_of(asked: Asked) -> Page:
    """The page that is asked for.

    Raises:
        RefusedError: there can't be such a page.
    """
    return Page(_whole(asked, "page", 1, MOST_PAGES), _whole(asked, "per_page", USUAL_PER_PAGE, MOST_PER_PAGE))


def _whole(asked: Asked, name: str, usual: int, most: int) -> int:
    text = asked.parameter(name)
    if not text:
        return usual
    if not _WHOLE.fullmatch(text) or not 1 <= int(text) <= most:
        raise RefusedError(400, f"{name} must be a whole number from 1 to {most:,}.")
    return int(text)


def _date(asked: Asked, name: str) -> date | None:
    text = asked.parameter(name)
    if not text:
        return None
    try:
        if _DATE.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise RefusedError(400, f"{name} must be a day as YYYY-MM-DD.")
