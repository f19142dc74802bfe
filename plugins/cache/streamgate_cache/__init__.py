"""A shared cache with limits and figures."""
