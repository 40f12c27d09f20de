"""How far the signs can be trusted."""
