"""The edge's policy: who may call from where, how often, how large, and what is answered twice. The kernel finds it
by the entry point `streamgate.edge`, so that it knows none of this."""
