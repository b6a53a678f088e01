"""One SQLite file, every row with its checksum, one transaction a change."""
