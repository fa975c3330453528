"""Prove that commits restore."""
