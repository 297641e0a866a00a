"""Files for training, made from one frozen snapshot folder and a recipe. No database is read or written.

Modules build on each other in this order: recipe < source < deciding < selecting < rows < files < describing
< making.
"""
