"""Examples for hospital systems that call the services without the client."""
