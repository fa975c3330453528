"""Other places that have the history: remotes, bundles, clones."""
