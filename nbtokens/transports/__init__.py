"""HTTP clients: where calls are seen, as bytes. Knows nothing of wire formats."""
