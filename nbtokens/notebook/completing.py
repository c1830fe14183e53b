"""Completion behind `%tokens` and `%%tokens`: commands, options, and what may stand behind an option; of labels too."""

from __future__ import annotations

import argparse
import re
from typing import TYPE_CHECKING, Final, cast, get_args

from IPython.core.completer import CompletionContext, SimpleCompletion, SimpleMatcherResult, context_matcher

from nbtokens.guard import guarded
from nbtokens.history.totals import Dimension
from nbtokens.notebook import budget_magic
from nbtokens.notebook.cell_options import CELL_OPTIONS
from nbtokens.operation import USUAL_OPERATIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from nbtokens.runtime import Runtime

_LINE: Final = re.compile(r"(?:^|[\s=!;])(%%?)tokens[ \t]+(?P<words>.*)\Z")
_LABEL: Final = re.compile(r"\boperation\(\s*(?P<quote>[\"'])(?P<begun>[^\"']*)\Z")
_MODEL: Final = "MODEL"
"""The metavar of arguments that are names of models."""


class Completer:
    """One of IPython's matchers.

    Args:
        runtime: whose history names models, operations and notebooks.
        words: command -> the words that may follow it; the commands that are no questions.
    """

    def __init__(self, runtime: Runtime, words: Mapping[str, tuple[str, ...]]) -> None:
        self._runtime = runtime
        self._words = words

    @cast("Callable[..., Callable[..., SimpleMatcherResult]]", context_matcher)()
    def match(self, context: CompletionContext) -> SimpleMatcherResult:
        """What may stand at the cursor; nothing where that isn't behind one of our magics."""
        found = _LINE.search(context.text_until_cursor)
        if found is None:
            return self._label(context)
        *before, begun = re.split(r"\s+", found["words"])
        names: Iterable[str] = ()
        with guarded:
            names = self._of_cell(before) if found[1] == "%%" else self._names(before)
        return _matching({*names} - {*before}, begun, "magic")

    def _label(self, context: CompletionContext) -> SimpleMatcherResult:
        """Names of operations, inside of the quotes of `operation("..."`."""
        found = _LABEL.search(context.text_until_cursor)
        if found is None:
            return SimpleMatcherResult(completions=[])
        names: Iterable[str] = ()
        with guarded:
            names = self._labels()
        return _matching(names, found["begun"], "text")

    def _labels(self) -> list[str]:
        labels = self._runtime.store.view(lambda totals: {key.operation for key in totals.rows})
        return [*USUAL_OPERATIONS, *_without_spaces(labels)]

    def _of_cell(self, before: list[str]) -> Iterable[str]:
        return self._labels() if before and before[-1] == "--op" else CELL_OPTIONS

    def _names(self, before: list[str]) -> Iterable[str]:
        from nbtokens.chores import CHORES  # noqa: PLC0415 - the same as below
        from nbtokens.questions import QUESTIONS  # noqa: PLC0415 - what answers questions is loaded when one is asked

        if not before:
            return [*filter(None, self._words), *QUESTIONS, *CHORES]
        if before == ["budget"]:
            return [*self._words["budget"], *self._options(budget_magic.parser(), before)]
        if before[0] == "budget":
            return self._options(budget_magic.parser(), before)
        if before[0] in self._words:
            return self._words[before[0]]
        asked = QUESTIONS.get(before[0]) or CHORES.get(before[0])
        if asked is None:
            return ()
        from nbtokens.questions.asking import add_format  # noqa: PLC0415 - the same

        parser = argparse.ArgumentParser(add_help=False)
        asked.add_arguments(parser)
        if before[0] in QUESTIONS:
            add_format(parser)
        return self._options(parser, before)

    def _options(self, parser: argparse.ArgumentParser, before: list[str]) -> Iterable[str]:
        """The values of the option that stands last, else every option, and the values of what needs no option."""
        actions = parser._actions  # noqa: SLF001 - argparse has no public way to list them
        last = next((action for action in actions if before[-1] in action.option_strings), None)
        if last is not None and last.nargs != 0:
            return self._values(last)
        names = [name for action in actions for name in action.option_strings]
        for action in actions:
            if not action.option_strings:
                names += self._values(action)
        return names

    def _values(self, action: argparse.Action) -> list[str]:
        if action.choices is not None:
            return [str(choice) for choice in action.choices]
        used = self._used(action.dest) if action.dest in get_args(Dimension) else []
        if action.metavar == _MODEL:
            return [*self._used("model"), *self._runtime.model_names()]
        return used

    def _used(self, dimension: str) -> list[str]:
        """What the history holds of a dimension."""
        groups = self._runtime.store.view(lambda totals: list(totals.by(cast("Dimension", dimension))))
        return _without_spaces(groups)


def _without_spaces(names: Iterable[str | None]) -> list[str]:
    return [name for name in names if name and not re.search(r"\s", name)]


def _matching(names: Iterable[str], begun: str, kind: str) -> SimpleMatcherResult:
    """Those of the names that go on from what is typed; where there are any, nobody else's."""
    matching = sorted({name for name in names if name.startswith(begun)})
    return SimpleMatcherResult(
        completions=[SimpleCompletion(text=name, type=kind) for name in matching],
        matched_fragment=begun,
        suppress=kind == "magic" or bool(matching),
    )
