"""The page in its reader's language: its texts, and how it writes numbers and dates."""
