"""Who sees which secret: every kind of secret against every kind of receiver, and everything that is told."""
