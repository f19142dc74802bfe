"""gRPC: every method is an HTTP operation of the gateway, asked in this process.

proto/*.proto name each method's operation (`google.api.http`) → `operations.py` reads that → `calls.py` makes the
request → `inside.py` (beside this folder) asks the listener's own application → `messages.py` and `errors.py` make
the answer of it.
"""

import os

# The transcoder in the same process starts children; gRPC would write a line about each to standard error. Nothing here
# forks and goes on (children are spawned), so there is nothing for it to look after.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "false")
