"""Make the live database equal a commit: plan, check, write, verify."""
