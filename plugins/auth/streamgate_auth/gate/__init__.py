"""The gate: a rule over requirement kinds, parsed, stored, decided with three values, explained."""
