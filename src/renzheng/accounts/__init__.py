"""The domain of tenants: accounts, keys, rules and balances. Pure; other rooms store and use them."""
