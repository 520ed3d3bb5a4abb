"""Error rates, attacks, and the puppet that stands in for a person: above the engine, beside the server."""
