"""Connections to PostgreSQL, a database's identity, SQL files, the schema and its migrations."""
