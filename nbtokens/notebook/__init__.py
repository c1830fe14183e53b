"""The IPython extension: magics, the live panel, and which cell a call belongs to. Only this floor knows IPython."""
