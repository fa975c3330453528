"""Export to a file, and import from one."""
