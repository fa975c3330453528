"""Compares a wheel with the checkout: every file of gitbackup/ is in it, and nothing else."""

import subprocess
import sys
import zipfile

tracked = subprocess.run(
    ["git", "ls-files", "-z", "gitbackup"], capture_output=True, text=True, check=True
)
expected = {name for name in tracked.stdout.split("\0") if name}
with zipfile.ZipFile(sys.argv[1]) as wheel:
    names = wheel.namelist()
packed = {name for name in names if name.startswith("gitbackup/")}
pages = [name for name in names if "/share/man/man1/gitbackup" in name]
for name in sorted(expected ^ packed):
    print(f"{'not in the wheel' if name in expected else 'only in the wheel'}: {name}")
if not pages:
    print("no man pages in the wheel")
sys.exit(expected != packed or not pages)
