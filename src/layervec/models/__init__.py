"""Adapters to models that others have trained; none is imported unless asked for."""
