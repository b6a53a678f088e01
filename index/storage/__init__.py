"""The truth: SQLite, every row with its checksum, one transaction a change."""
