"""The kinds of requirement that ask no chain: address lists, times, roles, invitations, gates of collections."""
