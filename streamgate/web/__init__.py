"""HTTP: typed routes that validate, document themselves and carry their policy."""
