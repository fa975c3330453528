"""Forget a value: it goes from every commit, and is known again if it comes back.

What a history is without it, and how that takes the place of the old one, is in the room `store`.
"""
