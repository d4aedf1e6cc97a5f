"""The rules of tools/tidy, by subject. Rooms and exceptions are data: rooms.py, exceptions.txt."""
