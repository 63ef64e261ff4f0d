"""The file format: named arrays and a JSON header, written whole and read without trust."""
