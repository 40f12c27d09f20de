"""What exact ranks cost."""
