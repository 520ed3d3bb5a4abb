"""The operator's console: pages for people, on the operator's listener. The store and the calls are passed in."""
