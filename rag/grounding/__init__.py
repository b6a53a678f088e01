"""What answers rest on: evidence, citations, support, conflicts, presentation."""
