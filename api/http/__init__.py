"""HTTP mechanics that all routers share; independent of the domain."""
