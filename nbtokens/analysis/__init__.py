"""Answers worked out of records and totals: pure functions, without a clock, a file or a notebook."""
