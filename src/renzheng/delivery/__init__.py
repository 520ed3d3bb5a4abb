"""Evidence in the customer's bucket: allowed hosts, the client, and the deliverer that empties the outbox."""
