"""Tests statements, migrations, query plans and failures of the database."""
