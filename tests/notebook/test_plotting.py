"""`%tokens plot`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from nbtokens.plots import PLOTS

if TYPE_CHECKING:
    from running import Kernel, Shell


@pytest.mark.parametrize("name", PLOTS)
def test_each_plot_is_a_picture(shell: Shell, name: str) -> None:
    """Each is shown as a picture, of the history or of the session alone."""
    shell("ask()")
    shell("ask('another question')")
    for line in (name, f"{name} session"):
        drawn = shell(f"%tokens plot {line}").value
        assert drawn.name == name
        assert drawn._repr_png_()[0].startswith(b"\x89PNG")
        assert drawn.axes.get_title()


def test_a_picture_in_a_front_end(kernel: Kernel) -> None:
    """A kernel sends it as an image with its width, and as a line of text for where there are no images."""
    kernel("ask('plot me')")
    shown = kernel("%tokens plot models session").value
    assert shown["image/png"]
    assert shown["text/plain"].startswith("<plot of models: Cost by model")


def test_wrong_words(shell: Shell) -> None:
    """One line names the closest plot, or all of them."""
    for words, said in (
        ("dialy", "did you mean `%tokens plot daily`?"),
        ("xyz", "there are cost, daily, models"),
        ("cost yesterday", "takes nothing or `session`"),
    ):
        ran = shell(f"%tokens plot {words}", fails=True)
        assert said in ran.out + ran.err


def test_money_is_hidden(shell: Shell) -> None:
    """Where amounts are hidden, no text of a plot has one; its shape stays."""
    shell("ask()")
    shell("%tokens hide-cost")
    for name in ("cost", "models", "cells"):
        axes = shell(f"%tokens plot {name}").value.axes
        axes.figure.canvas.draw()
        texts = [axes.get_title(), axes.get_xlabel(), axes.get_ylabel(), *(text.get_text() for text in axes.texts)]
        texts += [text.get_text() for text in (*axes.get_xticklabels(), *axes.get_yticklabels())]
        assert not [text for text in texts if "$" in text or "USD" in text]
        assert any("•••" in text for text in texts)
