"""The language model: its files, its process, its prompt and its grammar."""
