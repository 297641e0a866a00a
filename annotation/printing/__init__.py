"""What leaves the house as a picture or on paper: a `Table` in, an SVG out, and the one-file report."""
