"""Values, and the difference of two values, as short text.

It decides how much of a value is shown, and how a changed line, word or stream looks. Both the text
and the page are made of this; neither is known here.
"""
