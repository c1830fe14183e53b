"""Plots: what is drawn is what the history holds, with units, in colours that everybody can tell apart."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from io import BytesIO
from itertools import combinations
from typing import TYPE_CHECKING, Any

import matplotlib.image
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from plotted import BEGAN, make

import nbtokens
from nbtokens import plots
from nbtokens.history import open_history
from nbtokens.plots.drawing import Drawing
from nbtokens.plots.style import COLOURS, INK, apart

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ledgers import Ledger

    from nbtokens.record import Record

JUPYTERS_BLACK = "#111111"
# Machado, Oliveira, Fernandes (2009): how linear colours look to eyes without one kind of cones.
_EYES = {
    "usual": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritanopia": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}


@pytest.fixture(autouse=True)
def figures_closed() -> Iterator[None]:
    yield
    plt.close("all")


@pytest.fixture
def history(ledger: Ledger) -> list[Record]:
    """Calls of ten days, three models, two cells; one model without a price."""
    records = [
        make(
            started_at=BEGAN + timedelta(hours=6 * number),
            model=("gpt-5", "claude", "own")[number % 3],
            cost_usd=None if number % 3 == 2 else Decimal(number + 1) / 100,
            input_tokens=1_000,
            output_tokens=50 + number,
            cache_read_input_tokens=250,
            duration_s=(50 + number) / (20 if number % 3 else 40),
            notebook="work/a.ipynb",
            cell=("first", "second")[number % 2],
            execution_count=number % 4 + 1,
            max_tokens=(100, 500)[number % 2],
        )
        for number in range(40)
    ]
    store = open_history(ledger.folder, print)
    for record in records:
        store.append(record)
    return records


def linear(colour: str) -> Any:  # noqa: ANN401
    rgb = np.array(to_rgb(colour))
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def contrast(one: str, other: str) -> float:
    bright, dark = sorted((float(linear(c) @ [0.2126, 0.7152, 0.0722]) for c in (one, other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("ground", ["white", JUPYTERS_BLACK])
def test_colours_stand_out_on_light_and_dark(ground: str) -> None:
    """WCAG 1.4.11: what is drawn has a contrast of at least 3 to the ground, text more than 4."""
    assert min(contrast(colour, ground) for colour in COLOURS) >= 3
    assert contrast(INK, ground) >= 4


@pytest.mark.parametrize("eyes", _EYES)
def test_colours_are_told_apart_by_everybody(eyes: str) -> None:
    """Each two of the colours stay apart for people who lack one kind of cones."""
    seen = [np.clip(_EYES[eyes] @ linear(colour), 0, 1) ** (1 / 2.2) for colour in COLOURS]
    for one, other in combinations(seen, 2):
        assert np.abs(one - other).max() > 0.1


@pytest.mark.parametrize("name", plots.PLOTS)
def test_each_takes_and_returns_axes(name: str, history: list[Record]) -> None:
    """Given axes are drawn into and returned, labelled with units; without any, new ones are made."""
    axes = Figure().subplots()
    assert plots.PLOTS[name](axes) is axes
    assert axes.get_title()
    units = ("USD", "tokens", "(s)")
    assert any(unit in axes.get_xlabel() + axes.get_ylabel() for unit in units)
    made = plots.PLOTS[name]()
    assert made.figure in map(plt.figure, plt.get_fignums())


@pytest.mark.parametrize("name", plots.PLOTS)
def test_nothing_yet(name: str) -> None:
    """Without calls, a plot says so."""
    axes = plots.PLOTS[name](apart())
    assert next(text.get_text() for text in axes.texts).startswith("No c")


@pytest.mark.parametrize("name", plots.PLOTS)
def test_readable_on_light_and_dark(name: str, history: list[Record]) -> None:
    """The picture has no ground of its own, and something in it is seen on white and on black alike."""
    png, size = Drawing(name)._repr_png_()
    assert size["width"] == 672
    pixels = matplotlib.image.imread(BytesIO(png))
    assert pixels[0, 0, 3] == 0
    shown = pixels[..., 3] > 0.9
    assert shown.mean() > 0.005
    brightness = pixels[..., :3].mean(axis=2)[shown]
    assert ((brightness > 0.15) & (brightness < 0.85)).mean() > 0.5


def test_cost_grows_to_the_sum(history: list[Record]) -> None:
    """The line ends at what the history has cost, and the title tells of calls that have no price."""
    axes = plots.cost(apart())
    whole = nbtokens.history().sums
    assert axes.lines[0].get_ydata()[-1] == pytest.approx(float(whole.cost_usd))
    assert axes.get_title() == f"${whole.cost_usd:.4f} in 40 calls (13 calls unpriced)"


def test_cost_by_call_where_time_is_short() -> None:
    """Over some hours, each call is a step of its own; of a session, only its calls."""
    for number in range(3):
        nbtokens.record(model="m", input_tokens=1, cost_usd=Decimal(number + 1))
    axes = plots.cost(apart(), of=nbtokens.session())
    assert list(axes.lines[0].get_ydata()) == [1, 3, 6]


def test_days_add_up(history: list[Record]) -> None:
    """Bars of a day are as high together as what the day has cost, one colour for each model."""
    axes = plots.daily(apart())
    groups = nbtokens.history().totals.by("day")
    heights = np.sum([[bar.get_height() for bar in bars] for bars in axes.containers], axis=0)
    assert heights.tolist() == pytest.approx([float(groups[day].cost_usd) for day in sorted(map(str, groups))])
    assert [bars.get_label() for bars in axes.containers] == ["gpt-5", "claude", "own"]


def test_many_models_are_others() -> None:
    """More models than colours: the dearest have a colour, the others are hatched together."""
    for number in range(9):
        nbtokens.record(model=f"m{number}", input_tokens=1, cost_usd=Decimal(number + 1))
    bars = plots.daily(apart()).containers
    assert [one.get_label() for one in bars] == ["m8", "m7", "m6", "m5", "others"]
    assert bars[-1][0].get_height() == 1 + 2 + 3 + 4 + 5
    assert bars[-1][0].get_hatch()


def test_tokens_where_nothing_costs_anything() -> None:
    """Models of one's own are free: their tokens are drawn, and the axis says so."""
    nbtokens.record(model="own", input_tokens=30, output_tokens=12, cost_usd=0)
    axes = plots.models(apart())
    assert axes.get_xlabel() == "tokens (input and output)"
    assert axes.containers[0][0].get_width() == 42


def test_models_and_cells(history: list[Record]) -> None:
    """The longest bar is the dearest; a cell's is split into its first run and the runs after it."""
    axes = plots.models(apart())
    by_model = nbtokens.history().totals.by("model")
    dearest = next(iter(by_model.values()))
    assert axes.containers[0][0].get_width() == pytest.approx(float(dearest.cost_usd))
    assert "13 unpriced, 13 calls" in [text.get_text() for text in axes.texts]
    cells = plots.cells(apart())
    first, again = cells.containers
    whole = [one.get_width() + more.get_width() for one, more in zip(first, again, strict=True)]
    assert sum(whole) == pytest.approx(float(nbtokens.history().sums.cost_usd))
    assert again[0].get_hatch()
    assert again[0].get_width() > 0
    assert cells.get_yticklabels()[0].get_text().startswith("a.ipynb [")


def test_speed_and_cache(history: list[Record]) -> None:
    """The median of each model, and the share of input that the provider's cache gave."""
    axes = plots.speed(apart())
    medians = sorted({round(float(line.get_xdata()[0])) for line in axes.lines if line.get_linewidth() == 2})
    assert medians == [20, 40]
    cache = plots.cache(apart())
    assert cache.get_title().startswith("25% of input tokens")
    cached, fresh = cache.containers
    assert sum(bar.get_height() for bar in cached) == 10_000
    assert sum(bar.get_height() for bar in fresh) == 30_000


def test_plot_of_an_estimate() -> None:
    """The rows by their tokens, with the median and the context window where rows come near it."""
    found = nbtokens.estimate(["word " * 300_000, "one", "one two", None], "gpt-5-mini", 10)
    axes = found.plot(apart())
    assert sum(bar.get_height() for bar in axes.patches) == 3
    labels = axes.get_legend_handles_labels()[1]
    assert any(label.startswith("half under") for label in labels)
    assert "context window: 400,000" in labels
    assert nbtokens.estimate([], "gpt-5", 1).plot(apart()).texts[0].get_text() == "No row has a text."
