"""What a user sets with IPython's own means: `%config NbTokens.footer = True`, or `c.NbTokens.footer` in its file."""

from __future__ import annotations

from traitlets import Bool
from traitlets.config import Configurable


class NbTokens(Configurable):
    """How nbtokens shows itself in this kernel. Nothing is shown that wasn't asked for."""

    footer = Bool(
        default_value=False, help="One line of figures under each cell that made calls (`%tokens footer on`)."
    ).tag(config=True)
    hide_cost = Bool(default_value=False, help="Show no amounts of money (`%tokens hide-cost`).").tag(config=True)
