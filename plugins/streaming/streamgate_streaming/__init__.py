"""Playback sessions, playlists, manifests and media bytes for those who may watch."""
