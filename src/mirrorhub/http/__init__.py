"""HTTP: one place that builds the client; the only package that imports httpx."""
