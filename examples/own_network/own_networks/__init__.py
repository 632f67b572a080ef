"""A network that no zoo holds, written once for each framework under the same layer names."""
