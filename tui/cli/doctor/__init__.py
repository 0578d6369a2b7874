"""`riffle doctor`: what is there, what is wrong, and the fix. `report` is its face."""
