"""How far matrix-free ranks can be trusted."""
