"""Backup: a town kept elsewhere, while it runs: whole, encrypted, each byte once; and brought back."""
