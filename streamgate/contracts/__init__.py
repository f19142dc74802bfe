"""What services promise each other: frozen values, Protocols and error codes, no logic.

One module a service. The kernel's own files do not import this package; plugins import nothing else of
each other.
"""
