"""Accounts, keys, rules and balances. Pure; the store keeps them, the gateway is handed them."""
