"""LoRaWAN uplinks as network servers hand them on: The Things Stack v3 and ChirpStack v4."""
