"""Which reports tell of one thing: learning it, suggesting it, grouping them without chaining."""
