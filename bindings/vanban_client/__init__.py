"""The Python client under its own installed name."""
