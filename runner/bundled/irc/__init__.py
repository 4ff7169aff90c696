"""An IRC client as a gateway."""
