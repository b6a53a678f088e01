"""A PostgreSQL server with pgvector, for many writers and readers at once."""
