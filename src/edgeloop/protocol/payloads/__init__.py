"""JSON of the wire <-> types, a file per subject."""
