"""The aggregates of SQL that a line of least squares is made of, for SQLite, which has none of them."""

from __future__ import annotations

from typing import Final


class _Products:
    """Means of two columns, and sums of the products of what is beside these.

    Each value moves the mean, so that no digits are lost (Welford, Technometrics 4, 1962).
    """

    def __init__(self) -> None:
        self.count = 0
        self.x = self.y = self.xx = self.xy = self.yy = 0.0

    def step(self, y: float | None, x: float | None) -> None:
        """Take a row in."""
        if y is None or x is None:
            return
        self.count += 1
        beside_x, beside_y = x - self.x, y - self.y
        self.x += beside_x / self.count
        self.y += beside_y / self.count
        self.xx += beside_x * (x - self.x)
        self.xy += beside_x * (y - self.y)
        self.yy += beside_y * (y - self.y)


def _aggregate(name: str) -> type[_Products]:
    def finalize(of: _Products) -> float | None:
        found: float = getattr(of, name)
        return found if of.count else None

    return type(f"Regr{name}", (_Products,), {"finalize": finalize})


AGGREGATES: Final = {
    "regr_avgx": _aggregate("x"),
    "regr_avgy": _aggregate("y"),
    "regr_sxx": _aggregate("xx"),
    "regr_sxy": _aggregate("xy"),
    "regr_syy": _aggregate("yy"),
}
"""Name -> the class of it, with (y, x) as its arguments."""
