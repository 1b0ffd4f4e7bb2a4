"""How pages stay live (G10): a subscription, a hub of streams, a consumer a viewer."""
