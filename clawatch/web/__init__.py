"""The web server: one application for every door."""
