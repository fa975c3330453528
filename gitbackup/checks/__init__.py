"""Is the data safe? What is judged, a file each."""
