"""Adverse events: patients with an event, events, and rates per time under observation."""
