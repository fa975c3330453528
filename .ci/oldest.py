"""Prints pip's constraints for the oldest of all that pyproject.toml permits, for this Python."""

import re
import sys
import tomllib
from pathlib import Path

project = tomllib.loads(Path("pyproject.toml").read_text())["project"]
for requirement in (*project["dependencies"], *project["optional-dependencies"]["dev"]):
    bound = re.match(r"([\w-]+)(?:\[\w+\])?>=([\d.]+)", requirement)
    if bound is None:
        sys.exit(f"pyproject.toml: {requirement} has no oldest version")
    print(f"{bound[1]}=={bound[2]}")
