"""From totals and records to something to look at. A report is data; each renderer is one function over it."""
