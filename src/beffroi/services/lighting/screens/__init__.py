"""The pages of the lighting service, one module each."""
