"""What a meter would have used: models of daily and hourly use, how well they predict, and the savings measured with them."""
