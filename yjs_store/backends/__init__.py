"""Where documents can be kept: one module or package for each backend."""
