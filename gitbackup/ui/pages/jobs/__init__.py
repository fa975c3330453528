"""The pages of jobs: the forms that begin one, its plan, how far it is, and what it did.

The jobs themselves are in `gitbackup/ui/jobs`; a page only begins one, asks it, and shows it.
"""
