"""Who holds what and what a token is, read from chains for people and servers that ask; gates are not decided here."""
