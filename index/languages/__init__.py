"""Which language a text is in, and the words of each language that the stages go by."""
