"""Explanations that no rule has made."""

from __future__ import annotations

from streamgate.contracts.gate import Explanation, Outcome


def said(kind: str, outcome: Outcome, text: str, *, reason: str = "") -> Explanation:
    return Explanation(kind=kind, outcome=outcome, text=text, reason=reason)
