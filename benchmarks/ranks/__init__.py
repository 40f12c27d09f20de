"""How far the grades of numerical ranks can be trusted."""
