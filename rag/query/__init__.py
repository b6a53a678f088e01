"""What is asked: the question analysed once, from its words alone."""
