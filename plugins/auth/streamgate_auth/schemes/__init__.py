"""Ways to sign: each turns the facts of a challenge into something a wallet shows, and checks what comes back."""
