"""Encryption of files with age: public keys, private keys, and key files that a passphrase opens.

It knows no bundle and no commit: what is encrypted, and where it goes, is for `store.transports`.
"""
