"""Where knowledge is kept: engine, tables, repository and the audit chain (SQL, SQLite and PostgreSQL)."""
