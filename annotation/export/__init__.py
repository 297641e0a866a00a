"""A study as files that training and analysis can read: tables, manifest, card. Never writes a table.

Modules build on each other in this order: formats < reading < queries < shaping < preferences < tables <
card, manifest.
"""
