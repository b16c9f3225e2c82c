"""The desk of reports: what agents, services and elected officials do with them."""
