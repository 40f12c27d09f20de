"""The three ways to the ranks beside the original's and curvlinops'."""
