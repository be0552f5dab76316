"""The official plugins, one folder each, written against the public names only."""
