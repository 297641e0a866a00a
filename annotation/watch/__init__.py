"""For whoever looks after an installation: health, metrics, logs. docs/deploying.md says how to use them."""
