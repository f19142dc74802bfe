"""The gateway: content and gate endpoints, and forwarding to services that run elsewhere."""
