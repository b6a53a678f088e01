"""Whether sentences carry a statement: what can be told from words, and one fitted judgement."""
