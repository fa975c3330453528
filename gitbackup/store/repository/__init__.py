"""The data repository as a whole: objects, work tree, remotes, and its own files.

`Repository` is what the rest of the package uses. Its own files, in the git directory, are the
restore journal and the digests of replies. It knows no server and no key.
"""
