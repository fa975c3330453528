"""What the tests of hostile input stand on: a person with a server, and a repository."""

from tests.cli.conftest import user
from tests.store.conftest import first, repository

__all__ = ["first", "repository", "user"]
