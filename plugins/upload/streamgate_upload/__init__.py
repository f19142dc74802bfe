"""Takes uploads in chunks or by multipart, resumable, straight into the blob store."""
