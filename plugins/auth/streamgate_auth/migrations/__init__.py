"""Auth's line of database revisions."""
