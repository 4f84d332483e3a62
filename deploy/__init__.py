"""What operators install the service with."""
