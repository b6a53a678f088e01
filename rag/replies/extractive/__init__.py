"""Answers composed of the sources' own sentences, a way for each task."""
