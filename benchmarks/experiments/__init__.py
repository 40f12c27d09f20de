"""This project's ways to the ranks beside the original's and curvlinops'."""
