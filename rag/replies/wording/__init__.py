"""What a capable model adds to an answer: its words, its opinion, a summary of what is long."""
