"""What a capable model adds to an answer: its words, and a summary of what is long."""
