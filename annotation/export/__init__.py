"""A study as files that training and analysis can read: rows, formats, manifest, card. Never writes a table.

Modules build on each other in this order: rows < preferences < formats < tables < card, manifest.
"""
