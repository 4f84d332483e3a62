"""The schema's history; `medconnect migrate` walks it."""
