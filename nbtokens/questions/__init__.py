"""What one asks by a word, in a notebook (`%tokens stats`) and on the command line (`nbtokens stats`) alike."""

from __future__ import annotations

from typing import Final

from nbtokens.questions.asking import Question
from nbtokens.questions.check import Check
from nbtokens.questions.config import ConfigInForce
from nbtokens.questions.cost import Cost
from nbtokens.questions.count import Count, Estimate
from nbtokens.questions.doctor import Doctor
from nbtokens.questions.prices import Prices
from nbtokens.questions.scores import Scores
from nbtokens.questions.stats import Stats
from nbtokens.questions.summary import Summary
from nbtokens.questions.team_budget import TeamBudget
from nbtokens.questions.validate import Validate
from nbtokens.questions.whatif import WhatIf

__all__ = ["QUESTIONS", "Question"]

QUESTIONS: Final[dict[str, Question]] = {
    "summary": Summary(),
    "stats": Stats(),
    "validate": Validate(),
    "check": Check(),
    "cost": Cost(),
    "scores": Scores(),
    "budget": TeamBudget(),
    "prices": Prices(),
    "whatif": WhatIf(),
    "config": ConfigInForce(),
    "count": Count(),
    "estimate": Estimate(),
    "doctor": Doctor(),
}
"""The word -> what answers it, in the order of the help. A question's docstring is its help text."""
