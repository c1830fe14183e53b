"""Every wire format that is read, provider by provider: what is sent, what comes back, what must be recorded of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from catalogue import (
    amazon_cases,
    anthropic_cases,
    cohere_ollama_cases,
    google_cases,
    hosted_cases,
    invoke_cases,
    media_cases,
    openai_cases,
    other_cases,
)

if TYPE_CHECKING:
    from catalogue.case import Case

CASES: Final[tuple[Case, ...]] = (
    *openai_cases.CASES,
    *media_cases.CASES,
    *anthropic_cases.CASES,
    *google_cases.CASES,
    *amazon_cases.CASES,
    *invoke_cases.CASES,
    *cohere_ollama_cases.CASES,
    *hosted_cases.CASES,
    *other_cases.CASES,
)
