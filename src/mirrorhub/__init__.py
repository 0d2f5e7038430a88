"""Mirror-aware model resolution: the model is there the first time."""

__version__ = "0.1.0.dev0"
