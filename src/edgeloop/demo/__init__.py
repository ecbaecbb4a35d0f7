"""The story of `edgeloop demo`: drawn scenes, two models, what the loop gained."""
