"""Full-text search: the same words, ranking and access rules on SQLite (FTS5) and PostgreSQL (tsvector, pg_trgm).

`words.py` cuts texts into folded words, `query.py` what somebody typed into terms; `tiers.py` says which contents come
first. `sqlite.py` and `postgres.py` keep the index, in the transaction of the change. `typos.py` finds words near a
misspelt one, `highlights.py` shows what was found.
"""
