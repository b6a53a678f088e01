"""Files → library, by difference: read, split, embedded, written in whole documents."""
