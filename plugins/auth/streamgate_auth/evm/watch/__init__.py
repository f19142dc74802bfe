"""The Transfer logs of the contracts that gates name are followed, and what was read of ownership is kept as long as
they say that it is so.

    Watcher (one leader)  head, logs -> Follower -> [checkpoint | token.transferred]; `auth.watched` to every process
    Ownership (each process)  hears `auth.watched`; answers `Chain.call` from what it keeps

- `transfers.py`: what a log says. `follower.py`: one chain, block by block, through reorganisations. `watcher.py`: all
  chains. `named.py`: which contracts. `repository.py`, `tables.py`: the checkpoint. `coverage.py`: how far the watcher
  is, as a process heard. `ownership.py`: what is kept.
"""
