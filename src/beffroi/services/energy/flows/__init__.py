"""Flows of the network operators: Enedis's files, and GRDF's answers, read into rows."""
