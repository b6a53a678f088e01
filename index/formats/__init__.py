"""A file → a Document: one registry of formats, each read in a sandbox."""
