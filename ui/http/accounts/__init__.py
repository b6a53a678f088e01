"""Who asks, where several people share a library: accounts, roles, what each may see, a record."""
