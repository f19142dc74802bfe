"""The HTTP servers: one adapter, so that configuration may choose (`server.engine`)."""
