"""The whole installation as one folder, and back: the database, and the files that cannot be made again."""
