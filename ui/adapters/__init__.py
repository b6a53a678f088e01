"""The library inside other frameworks; each file imports one of them, and nothing imports these."""
