"""What is written in HTML: pages, books, mail."""
