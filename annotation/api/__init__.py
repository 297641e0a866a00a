"""The reports and the verbs of a researcher, over JSON."""
