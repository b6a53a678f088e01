"""Pictures of text: recognised, and read like pages."""
