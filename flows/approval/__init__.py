"""People: who may ask, who may decide, and what state follows. The only house that moves the state of a request."""
