"""The demo: a model on this machine, a real kernel that runs a notebook, and the summary of what its calls cost."""
