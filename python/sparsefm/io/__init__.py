"""The file format: a JSON header and named arrays. It knows no class of the package."""
