"""SensorThings Part 2, Tasking Core (OGC 17-079r1): actuators, what they can be told, and what became of it."""
