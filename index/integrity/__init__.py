"""Whether what is stored fits together, and making anew what does not."""
