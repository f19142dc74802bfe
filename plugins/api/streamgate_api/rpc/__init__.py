"""gRPC: every method is an HTTP operation of the gateway, asked in this process.

proto/*.proto name each method's operation (`google.api.http`) → `operations.py` reads that → `calls.py` makes the
request → `inside.py` (beside this folder) asks the listener's own application → `messages.py` and `errors.py` make
the answer of it.
"""
