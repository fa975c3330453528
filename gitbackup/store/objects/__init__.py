"""What a repository holds: blobs, trees, commits, refs and notes."""
