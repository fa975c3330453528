"""The verbs: arguments in, frozen results out."""
