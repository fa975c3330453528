"""A diff or the history as one page for a browser: it needs nothing else, and asks for nothing.

The page is read as it stands, folded and unfolded by the browser itself; its script adds the
search. All that comes from the database is hostile here, and reaches the page as escaped text.
"""

from gitbackup.report.html.diff import diff_page
from gitbackup.report.html.frame import SideTitle, order
from gitbackup.report.html.log import LoggedCommit, log_page

__all__ = ["LoggedCommit", "SideTitle", "diff_page", "log_page", "order"]
