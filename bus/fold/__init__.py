"""How events become entities: one module for each family of events, all working on one `Board`."""
