"""Compares a wheel with the checkout: every file of gitbackup/ is in it, and nothing else."""

import subprocess
import sys
import zipfile

tracked = subprocess.run(
    ["git", "ls-files", "-z", "gitbackup"], capture_output=True, text=True, check=True
)
expected = {name for name in tracked.stdout.split("\0") if name}
with zipfile.ZipFile(sys.argv[1]) as wheel:
    packed = {name for name in wheel.namelist() if name.startswith("gitbackup/")}
for name in sorted(expected ^ packed):
    print(f"{'not in the wheel' if name in expected else 'only in the wheel'}: {name}")
sys.exit(expected != packed)
