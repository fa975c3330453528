"""The objects that a repository holds: blobs, trees and commits; and the refs that name them.

Each file reads or writes one kind of object. A commit is written in a quarantine and admitted as a
whole. Moving HEAD and the work tree is for `store.repository`.
"""
