"""From verdicts to people: the alert's life, muting, routing, the brake, the outbox."""
