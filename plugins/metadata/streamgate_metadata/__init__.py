"""Content rows, the catalogue and its search."""
