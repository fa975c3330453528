"""What a server has beside values: databases, memory, persistence, a role."""
