"""Larger language models by name: what there is, how it is fetched, and how fast it is here."""
