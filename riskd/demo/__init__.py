"""A synthetic market and synthetic gateways, to see riskd at work."""
