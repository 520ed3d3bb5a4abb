"""The domain: sessions, challenges, decisions and identities. Pure; clock and randomness are passed in."""
