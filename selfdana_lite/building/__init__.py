"""How a folder of recordings becomes a dataset: what there is, what is used of it, and work that survives a kill."""
