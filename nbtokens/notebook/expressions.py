"""`%tokens estimate EXPR` and `%tokens count EXPR`: of what the notebook holds, as a column of a DataFrame."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from IPython.core.error import UsageError

from nbtokens.amounts import count
from nbtokens.before.counting import Counter
from nbtokens.before.estimate import estimate, output_of
from nbtokens.before.rows import rows_of
from nbtokens.errors import NbtokensError
from nbtokens.reports.report import Report, Table

if TYPE_CHECKING:
    from collections.abc import Callable

    from IPython.core.interactiveshell import InteractiveShell

_OPTION: Final = re.compile(r"(?:^|\s+)--(model|output|operation)(?:\s+|=)(\S+)")
_OTHER_OPTION: Final = re.compile(r"(?:^|\s)--[a-z]")


def about_expression(line: str, shell: InteractiveShell, presented: Callable[[Any], Any]) -> Any:  # noqa: ANN401 - what is displayed
    """Count or estimate what a line's expression stands for; None where its words are no expression of that kind.

    Args:
        line: what stands behind `%tokens`.
        shell: whose variables the expression knows.
        presented: gives a report the form that the user wishes, as without money.
    """
    name, _, rest = line.partition(" ")
    options = dict(_OPTION.findall(rest))
    expression = _OPTION.sub("", rest).strip()
    value = None if _OTHER_OPTION.search(expression) else _value(expression, shell)
    if value is None:
        return None
    try:
        if name == "count":
            return presented(_count(value, options.get("model", "")))
        if "model" not in options:
            raise UsageError("%tokens estimate: say which model: --model NAME")
        found = estimate(value, options["model"], output_of(options.get("output")), operation=options.get("operation"))
    except NbtokensError as error:
        raise UsageError(f"%tokens {name}: {error}") from error
    shown = presented(found.report())
    return found if shown == found.report() else shown


def _value(expression: str, shell: InteractiveShell) -> Any:  # noqa: ANN401 - whatever the notebook holds
    """What an expression stands for; None where it is none, or nothing that has a text."""
    try:
        code = compile(expression, "<%tokens>", "eval")
        value = eval(code, shell.user_global_ns, shell.user_ns)  # noqa: S307 - the user's own code, typed into a cell
    except (SyntaxError, NameError, ValueError):
        return None
    countable = isinstance(value, str | list | tuple | dict) or hasattr(value, "tolist") or hasattr(value, "columns")
    return value if countable and not isinstance(value, type) else None


def _count(value: Any, model: str) -> Report:  # noqa: ANN401 - the same
    rows = rows_of(value)
    counter = Counter(model)
    tokens = counter.count_rows(rows.items, progress=True)
    shown = [("tokens", count(tokens.sum()))]
    if not rows.single:
        each = tokens[tokens > 0]
        shown.append(("rows", count(len(tokens))))
        shown.append(("  without a text", count(len(tokens) - len(each))))
        if len(each):
            shown.append(("  shortest / average / longest", f"{each.min():,} / {each.mean():,.1f} / {each.max():,}"))
    with_what = counter.encoding or "no encoding: estimated by the characters"
    exact = ", the model's own" if counter.exact else ", the nearest" if model and counter.encoding else ""
    data = {"tokens": int(tokens.sum()), "rows": len(tokens), "encoding": counter.encoding, "exact": counter.exact}
    return Report("Tokens", (Table("", ("what", ">count"), tuple(shown)), f"Counted with {with_what}{exact}."), data)
