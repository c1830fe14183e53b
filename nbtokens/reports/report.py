"""A report as data: headings, tables and sentences, which each renderer writes in its own way."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Table:
    """A table of texts.

    Attributes:
        heading: what stands over it.
        columns: their names; one that starts with `>` is aligned to the right (numbers).
        rows: one text for each column.
        empty: what is said instead where there are no rows.
    """

    heading: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    empty: str = "Nothing yet."

    @property
    def names(self) -> tuple[str, ...]:
        """The columns' names without their marks."""
        return tuple(name.removeprefix(">") for name in self.columns)

    @property
    def right(self) -> tuple[bool, ...]:
        """For each column, whether it is aligned to the right."""
        return tuple(name.startswith(">") for name in self.columns)


@dataclass(frozen=True, slots=True)
class Layout:
    """Lines whose layout people know by heart. Every renderer shows them as they are, in a fixed-width font."""

    lines: tuple[str, ...]


Part: TypeAlias = Table | Layout | str


@dataclass(frozen=True, slots=True)
class Report:
    """A title, and what stands below it. In a notebook it shows as HTML, in a terminal as text.

    Attributes:
        title: what stands over it; empty where the first part says it.
        parts: tables, sentences and laid-out lines.
        data: the figures themselves, for programs: numbers, texts, lists and mappings, by documented names.
    """

    title: str
    parts: tuple[Part, ...]
    data: Mapping[str, Any] = field(default_factory=dict)

    def _repr_html_(self) -> str:
        from nbtokens.reports.html import html  # noqa: PLC0415 - renderers know reports, not the other way round

        return html(self)

    def __repr__(self) -> str:
        from nbtokens.reports.text import text  # noqa: PLC0415 - the same

        return text(self)

    def _repr_markdown_(self) -> str:
        from nbtokens.reports.markdown import markdown  # noqa: PLC0415 - the same

        return markdown(self)
