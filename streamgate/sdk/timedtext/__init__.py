"""Texts that belong to moments of a film: captions and chapters. Whatever comes in is read into cues and written anew
by us, as WebVTT; nothing of a given file reaches a player as it was."""
