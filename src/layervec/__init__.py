"""layervec: layered image vectorization."""
