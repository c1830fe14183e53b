"""Wire formats: one table each, and one interpreter over all of them. Knows nothing of transports."""
