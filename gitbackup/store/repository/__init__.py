"""The data repository as a whole, its work tree, and what lies beside them."""
