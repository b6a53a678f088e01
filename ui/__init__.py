"""The faces of Pilcrow: the only floor that prints or draws."""
