"""What changes something: each is a job in a thread of its own, also when the page is closed.

A form says what somebody wants, and a plan is shown before it is carried out.
"""
