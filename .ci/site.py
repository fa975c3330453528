"""Gives mkdocs the pages of the whole checkout: those of docs/, and those that lie outside.

mkdocs takes pages from one folder only, and README.md and others are where a code host and a reader
look for them. So the site has the paths of the checkout, and each link is good in both.
"""

from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

PROJECT = Path(__file__).parents[1]
SUFFIXES = (".md", ".svg", ".png")
OUTSIDE = ("*.md", "data-git-backup/README.md")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Return the pages and pictures of the project, by their paths in it."""
    inside = [path for path in (PROJECT / "docs").rglob("*") if path.suffix in SUFFIXES]
    outside = [path for pattern in OUTSIDE for path in PROJECT.glob(pattern)]
    own = {path.relative_to(PROJECT).as_posix() for path in (*inside, *outside)}
    pages = [
        File(name, str(PROJECT), config.site_dir, config.use_directory_urls) for name in sorted(own)
    ]
    return Files([*(file for file in files if file.src_dir != config.docs_dir), *pages])
