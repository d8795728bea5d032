"""Alembic's environment: migrates a database to the current schema."""
