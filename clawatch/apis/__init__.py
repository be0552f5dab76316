"""What an API door is made of: routes, access, bodies, envelopes, limits. Public."""
