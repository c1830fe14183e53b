"""Plots of what calls cost, how fast they were, and what was read from caches.

Each takes matplotlib's axes, or makes new ones, and returns them::

    from nbtokens import plots

    plots.daily()
    plots.models(axes, of=nbtokens.session())
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from nbtokens.plots.bars import cache, cells, daily, models
from nbtokens.plots.cost import cost
from nbtokens.plots.speed import speed
from nbtokens.plots.validate import validate

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["PLOTS", "cache", "cells", "cost", "daily", "models", "speed", "validate"]

PLOTS: Final[dict[str, Callable[..., Any]]] = {
    "cost": cost,
    "daily": daily,
    "models": models,
    "cells": cells,
    "speed": speed,
    "cache": cache,
    "validate": validate,
}
"""What one types after `%tokens plot` -> what draws it."""
