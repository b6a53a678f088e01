"""The language model: its files, its process, its prompt, its grammar, larger ones by name."""
