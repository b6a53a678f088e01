"""HTML of everything the page shows."""
