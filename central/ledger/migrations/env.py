"""What Alembic asks for. The connection is the caller's, and so is its transaction: all migrations or none."""

from alembic import context

from central.ledger.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
