"""What can be played of a media version, and the two texts about it: pure, for whoever serves or writes a folder.

Presentation(video=(Track(…), …), audio=…) → hls.render_multivariant, hls.render_media_playlist, dash.render_manifest
"""
