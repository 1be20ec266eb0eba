"""Servers that people who label talk to through a browser: the backend of Label Studio."""
