"""Live progress for people who look: `LIVE` updates to their open /events and /ws connections.

`hub.py` knows who looks → `watching.py` is one look, whatever the transport → `sse.py`, `websocket.py` carry it.
`tickets.py` lets browsers in, which can send no headers here.
"""
