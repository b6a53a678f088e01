"""How the reader's weights were made. Not in the wheel; nothing imports it."""
