"""The backends, one module each (`models_runtime.registry` names them), and what they share or are made of.

`reasoning` for all; `loading`, `decoding` and `cache` for transformers_local.
"""
