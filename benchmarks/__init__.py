"""What is measured: this project beside others, and its ways beside each other."""
