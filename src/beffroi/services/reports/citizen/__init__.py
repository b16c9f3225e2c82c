"""What citizens see and do: pages that are complete without script, account or map."""
