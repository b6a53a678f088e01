"""The page for people: the only place that draws."""
