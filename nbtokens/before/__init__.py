"""Before anything is sent: how many tokens there are, what a batch will cost, what another model would have cost."""
