"""The truth: what a library is kept in, with a checksum on every row, one transaction a change."""
