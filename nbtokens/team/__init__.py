"""A team's records in one SQL database: tables, the shipper that fills them, questions to them.

This is the only part that knows SQLAlchemy. It is loaded where a database is set, and only there.
"""
