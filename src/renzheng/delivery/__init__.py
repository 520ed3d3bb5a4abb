"""Evidence in the customer's bucket: whom it may be sent to, how it is sent, and the outbox that sees to it."""
