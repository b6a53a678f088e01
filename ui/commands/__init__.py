"""The commands of `pilcrow`, by what they are for; `ui.cli` puts them together."""
