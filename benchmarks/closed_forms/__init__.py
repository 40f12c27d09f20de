"""How far the closed forms can be trusted."""
