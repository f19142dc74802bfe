"""A guest list for StreamGate, as a stranger would write it: only public names of the kernel are used."""
