"""From a citizen's words to a category: by names and synonyms on the first day, then by the town's corrections."""
