"""What every kind of chain shares: asking nodes that may be slow, dead, behind or lying. Knows no EVM and no Solana.

    node = Node(1, url, client, clock, timeout_s=2.0)              # one endpoint: transport, caps, health
    pool = Pool([node, …], clock, head_of=slot_of, hedge_s=0.25, max_lag_blocks=5, chain="solana:mainnet")

    async def balances(node: Node) -> Balances:                    # one attempt, on whichever node the pool names
        answers = await node.ask([Question("getSlot"), Question("getTokenAccountsByOwner", (…))])
        pool.note_head(node, slot)                                 # whatever block or slot an answer tells
        if slot < min_slot:
            raise EndpointFault("it is behind", "behind")
        return …                                                   # anything but EndpointFault is taken for an answer

    answered = await pool.first(balances)                          # hedged and failed over; `.value`, `.node`
    answered = await pool.first(balances, tried=tried)             # leaves out whom `tried` has, and adds to it
    votes = await pool.several(balances, 2, tried=tried)           # of two different nodes, each failed over

Both raise `NoAnswer` (its text says why, and names endpoints by number alone) where no node could say; the caller makes
*unknown* of it. A function given to the pool may be called several times, at once, and be cancelled: it only reads.

- `wire.py`: questions, answers, errors, `EndpointFault(text, kind)`. `node.py`: one endpoint. `health.py`: its figures,
  score and breaker. `pool.py`: order, hedge, fail over, heads and lag. `vote.py`: what k nodes agree on.
- A node's chain is asked once and again after each fault: `if not node.is_verified: …; node.is_verified = True`, and
  `EndpointFault(…, "wrong_chain")` where it is another.
- An answer about one item among many that this node could not give is not a fault of the node: return it as such, and
  ask for what is left with the same `tried`.
"""
