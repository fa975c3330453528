"""Results as JSON objects for a program, each with its schema and version first.

The schemas are in `report/schemas`. A member that was ever printed keeps its name, type and
meaning; anything else is a new version of the schema.
"""
