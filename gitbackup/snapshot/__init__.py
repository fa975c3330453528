"""The files of a snapshot, where they come from, and what differs between two snapshots.

`file_format` turns entries into files and back, a `Source` has the files of a commit or of the live
database, `compare` tells which keys differ. It reads blobs, and neither servers nor the network.
"""
