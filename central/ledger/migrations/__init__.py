"""Migrations of the ledger, run by Alembic inside one transaction; `central.ledger.schema` starts them."""
