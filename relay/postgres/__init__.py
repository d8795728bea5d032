"""PostgreSQL: connections, identity of a database, SQL files, the schema and its migrations."""
