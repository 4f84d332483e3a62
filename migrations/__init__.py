"""The schema's migrations; `medconnect migrate` applies them."""
