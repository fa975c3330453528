"""`python -m gitbackup` is the `gitbackup` command."""

from gitbackup.cli import main

if __name__ == "__main__":
    main()
