"""A reader's language: the texts of page and terminal, numbers, dates, and how replies are told."""
