"""Sessions in Redis: the one package that imports redis. `store` is its face."""
