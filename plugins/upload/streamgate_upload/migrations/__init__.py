"""Upload's tables, step by step; a step is never edited after it has landed."""
