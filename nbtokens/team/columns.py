"""Column types that keep the same values on PostgreSQL and on SQLite: UTC times, exact amounts, JSON."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import JSON, DateTime, Float, Numeric, TypeDecorator
from sqlalchemy.dialects.postgresql import DOUBLE_PRECISION, JSONB
from sqlalchemy.types import String

if TYPE_CHECKING:
    from sqlalchemy.engine import Dialect
    from sqlalchemy.types import TypeEngine

_DIGITS: Final = 15


class Moment(TypeDecorator[datetime]):
    """A time in UTC; on SQLite as text that sorts as the times do."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """SQLite has no type for times."""
        return dialect.type_descriptor(DateTime(timezone=True) if dialect.name != "sqlite" else String(26))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:  # noqa: ANN401 - as the dialect has it
        """To the database."""
        if value is None or dialect.name != "sqlite":
            return value
        return value.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ", timespec="microseconds")

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:  # noqa: ANN401, ARG002 - the same
        """From the database."""
        if value is None:
            return None
        at = datetime.fromisoformat(value) if isinstance(value, str) else value
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


class Amount(TypeDecorator[Decimal]):
    """USD, exact on PostgreSQL; on SQLite a floating point number, of which 15 digits count."""

    impl = Numeric
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """SQLite has no exact decimals."""
        return dialect.type_descriptor(Numeric() if dialect.name != "sqlite" else Float())

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> Any:  # noqa: ANN401 - as the dialect has it
        """To the database."""
        return value if value is None or dialect.name != "sqlite" else float(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:  # noqa: ANN401, ARG002 - the same
        """From the database."""
        if value is None or isinstance(value, Decimal):
            return value
        return Decimal(f"{value:.{_DIGITS}g}")


JSON_OBJECT: Final = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
DOUBLE: Final = Float().with_variant(DOUBLE_PRECISION(), "postgresql")
