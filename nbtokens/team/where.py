"""Which rows a question is about, as SQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, and_, func, or_, true

from nbtokens.team.tables import daily, token_usage

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.sql.base import ReadOnlyColumnCollection

    from nbtokens.analysis.selection import Selection

MODEL: ColumnElement[Any] = func.coalesce(token_usage.c.model, token_usage.c.request_model)
"""The model of a row, as questions name it."""
PURPOSE: ColumnElement[Any] = func.coalesce(
    func.nullif(token_usage.c.operation, ""), func.nullif(token_usage.c.call_type, "")
)
"""What a row's call was for, as questions name it: its label, else its type."""


def of_records(which: Selection) -> ColumnElement[bool]:
    """The condition for rows of `token_usage`."""
    row = token_usage.c
    conditions = [
        column == value
        for column, value in (
            (row.run_id, which.run),
            (MODEL, which.model),
            (row.user, which.user),
            (row.notebook, which.notebook),
            (row.session, which.session),
        )
        if value is not None
    ]
    if which.operation is not None:
        conditions.append(_is_for(row, which.operation))
    if which.since is not None:
        conditions.append(row.started_at >= which.since)
    if which.until is not None:
        conditions.append(row.started_at < which.until)
    if which.reset_at is not None:
        conditions.append(or_(row.started_at >= which.reset_at, row.id.in_(which.besides or ())))
    return and_(true(), *conditions)


def of_days(which: Selection) -> ColumnElement[bool] | None:
    """The condition for rows of `token_usage_daily`; None where these can't tell."""
    if which.run is not None or which.session is not None:
        return None
    if not all(at is None or _is_midnight(at) for at in (which.since, which.until)):
        return None
    row = daily.c
    conditions = [
        column == value
        for column, value in (
            (row.model, which.model),
            (row.user, which.user),
            (row.notebook, which.notebook),
        )
        if value is not None
    ]
    if which.operation is not None:
        conditions.append(_is_for(row, which.operation))
    if which.since is not None:
        conditions.append(row.day >= which.since.date())
    if which.until is not None:
        conditions.append(row.day < which.until.date())
    return and_(true(), *conditions)


def _is_for(row: ReadOnlyColumnCollection[str, Any], purpose: str) -> ColumnElement[bool]:
    """Whether that is the purpose of a row, said so that the label's index can tell."""
    has_no_label = or_(row.operation.is_(None), row.operation == "")
    return or_(row.operation == purpose, and_(has_no_label, row.call_type == purpose))


def _is_midnight(at: datetime) -> bool:
    return (at.hour, at.minute, at.second, at.microsecond) == (0, 0, 0, 0)
