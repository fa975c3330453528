"""Tells what pip-audit found, and exits with 1 where that is anything."""

import json
import sys
from pathlib import Path

try:
    packages = json.loads(Path(sys.argv[1]).read_text())["dependencies"]
except ValueError:
    packages = []
unsafe = [one for one in packages if one.get("vulns")]
for one in unsafe:
    print(one["name"], one["version"], *(found["id"] for found in one["vulns"]))
asked = [one for one in packages if "skip_reason" not in one]
if asked:
    print(f"{len(asked)} of {len(packages)} packages looked up, {len(unsafe)} known to be unsafe")
else:
    print("skipped: pip-audit cannot reach the service that it asks")
sys.exit(bool(unsafe))
