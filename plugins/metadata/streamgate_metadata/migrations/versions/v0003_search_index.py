"""Search index: numbers of contents and known words; their words in FTS5 or a tsvector. The index is filled by the
process that starts on it, because how words are cut belongs to the program."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.exc import DBAPIError

from streamgate.sdk.db import DatabaseFault

revision = "0003"
down_revision = "0002"

SQLITE = (
    """CREATE VIRTUAL TABLE metadata_fts USING fts5(
        title, tags, body, scope, tokenize = "ascii tokenchars '_'", prefix = '2 3')""",
    """CREATE VIRTUAL TABLE metadata_near USING fts5(
        word, content = '', detail = none, tokenize = 'trigram case_sensitive 1')""",
)

POSTGRESQL = (
    "ALTER TABLE metadata_documents ADD COLUMN fts_vector tsvector NOT NULL DEFAULT ''",
    "CREATE INDEX fts_metadata_documents ON metadata_documents USING gin (fts_vector) WITH (fastupdate = off)",
    "CREATE INDEX fts_metadata_words ON metadata_words USING gin (word gin_trgm_ops)",
)


def upgrade() -> None:
    op.create_table(
        "metadata_documents",
        sa.Column("doc_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("content_id", sa.String(length=40), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("doc_id", name=op.f("pk_metadata_documents")),
        sa.UniqueConstraint("content_id", name=op.f("uq_metadata_documents_content_id")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("metadata_documents", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_metadata_documents_version"), ["version"], unique=False)

    op.create_table(
        "metadata_words",
        sa.Column("word_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("word", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("word_id", name=op.f("pk_metadata_words")),
        sa.UniqueConstraint("word", name=op.f("uq_metadata_words_word")),
    )
    with op.batch_alter_table("metadata_contents", schema=None) as batch_op:
        batch_op.create_index("ix_metadata_contents_duration", ["duration_s", "content_id"], unique=False)

    if op.get_bind().dialect.name == "postgresql":
        _need_trigrams()
    for statement in SQLITE if op.get_bind().dialect.name == "sqlite" else POSTGRESQL:
        op.execute(sa.text(statement))


def _need_trigrams() -> None:
    connection = op.get_bind()
    if connection.scalar(sa.text("SELECT 1 FROM pg_extension WHERE extname = 'pg_trgm'")):
        return
    try:
        with connection.begin_nested():
            connection.execute(sa.text("CREATE EXTENSION pg_trgm"))
    except DBAPIError as fault:
        raise DatabaseFault(
            "search needs the PostgreSQL extension pg_trgm (package postgresql-contrib), which could not be created: "
            "let a superuser run `CREATE EXTENSION pg_trgm` in this database, then run `streamgate db upgrade` again"
        ) from fault
