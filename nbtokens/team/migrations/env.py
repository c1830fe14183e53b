"""What Alembic runs: the migrations, over the connection that `nbtokens.team.schema` gives it."""

from __future__ import annotations

from alembic import context

context.configure(
    connection=context.config.attributes["connection"], version_table=context.config.attributes["versions"]
)
with context.begin_transaction():
    context.run_migrations()
