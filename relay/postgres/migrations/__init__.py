"""Alembic's environment: brings a database to the present schema."""
