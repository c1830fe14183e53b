"""Pages and images, where providers report them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from nbtokens.analysis.media import media_of
from nbtokens.cli import main
from nbtokens.history.columns import columns_of

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from nbtokens.record import Record


def test_pages_and_images(
    make: Callable[..., Record], write: Callable[[list[Record]], None], capsys: pytest.CaptureFixture[str]
) -> None:
    """Counted from the usage objects as the providers send them; failed calls and answers from caches are not."""
    tokens = {"input_tokens": 900, "output_tokens": 100}
    write(
        [
            make(usage={"pages_processed": 8, "doc_size_bytes": 7}, **tokens),
            make(usage={"usage_info": {"pages_processed": 2}}),
            make(usage={"billed_units": {"images": 4}, "prompt_tokens_details": {"image_tokens": 400}}),
            make(usage={"input_tokens_details": {"image_tokens": 85, "text_tokens": 5}}),
            make(usage={"promptTokensDetails": [{"modality": "TEXT"}, {"modality": "IMAGE", "tokenCount": 258}]}),
            make(usage={"pages_processed": 8}, status="error"),
            make(usage={"pages_processed": 8}, kind="cache_hit"),
            make(usage={"prompt_tokens": 5}),
        ]
    )
    assert main(["stats", "--media", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["media"] == {
        "pages": {"calls": 2, "count": 10, "tokens": 1000},
        "images": {"calls": 3, "count": 4, "tokens": 743},
    }
    assert main(["stats", "--media"]) == 0
    printed = capsys.readouterr().out
    assert "pages       2        10   1,000            100.0" in printed


def test_none(capsys: pytest.CaptureFixture[str]) -> None:
    """Without any it says so."""
    assert main(["stats", "--media"]) == 0
    assert "No provider reported any." in capsys.readouterr().out


@given(
    st.dictionaries(
        st.sampled_from(["pages", "images", "billed_units", "promptTokensDetails", "input_tokens_details"]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=3),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["images", "modality"]), inner),
            max_leaves=6,
        ),
    )
)
def test_any_usage(make: Callable[..., Record], usage: Any) -> None:  # noqa: ANN401 - anything
    """Whatever stands in a usage object, reading it raises nothing."""
    found = media_of(columns_of([make(usage=usage)]))
    assert all(of.units >= 0 and of.tokens >= 0 for of in found.values())
