"""Reading articles and rows from the files that people have: one small module per kind of file, all of them listed in ``kinds.py``."""
