"""The plot of `validate`: duration by output tokens, coloured by ceiling, with the fitted line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pathlib import Path

    from nbtokens.analysis.validation import Validation

_TITLE: Final = "Does time follow the tokens generated?"


def plot_validation(validation: Validation, axes: Any = None) -> Any:  # noqa: ANN401 - matplotlib's Axes, which has no types
    """Draw it into `axes`, or into new ones; returns these."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - only where something is drawn

    if axes is None:
        axes = Figure(figsize=(7, 4.5), layout="constrained").subplots()
    points = validation.points
    plain = [point for point in points if point.ceiling is None]
    limited = [point for point in points if point.ceiling is not None]
    if plain:
        axes.scatter([p.tokens for p in plain], [p.seconds for p in plain], s=12, color="0.5", label="no max_tokens")
    if limited:
        drawn = axes.scatter(
            [p.tokens for p in limited],
            [p.seconds for p in limited],
            c=[p.ceiling for p in limited],
            cmap="cividis",
            s=12,
        )
        if len({p.ceiling for p in limited}) > 1:
            axes.figure.colorbar(drawn, ax=axes, label="max_tokens")
    fit = validation.whole.by_tokens
    if fit is not None and points:
        ends = [min(p.tokens for p in points), max(p.tokens for p in points)]
        line = [fit.intercept.value + fit.slopes[0].value * end for end in ends]
        label = f"{fit.slopes[0].value * 100:.2f} s per 100 tokens, R² {fit.r_squared:.2f}"
        axes.plot(ends, line, color="tab:orange", label=label)
    axes.set_xlabel("output tokens")
    axes.set_ylabel("duration (s)")
    is_part = len(points) < validation.whole.calls
    axes.set_title(f"{_TITLE}\n{what_is_drawn(validation)}" if is_part else _TITLE)
    if axes.get_legend_handles_labels()[0]:
        axes.legend()
    return axes


def what_is_drawn(validation: Validation) -> str:
    """Which calls are in the plot, in words."""
    points, tested = len(validation.points), validation.whole.calls
    if points == tested:
        return f"Drawn: all {points:,} calls."
    return f"Drawn: the latest {points:,} of {tested:,} calls; the line is that of all."


def save_plot(validation: Validation, path: Path) -> None:
    """Draw it into a file, in the format that its name says."""
    plot_validation(validation).figure.savefig(path, dpi=150)
