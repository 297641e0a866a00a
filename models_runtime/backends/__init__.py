"""The backends, one module each; `models_runtime.registry` names them."""
