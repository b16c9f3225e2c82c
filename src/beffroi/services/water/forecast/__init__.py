"""Forecast: the discharge of the next hours from the discharge and the rain so far, with 90 % intervals.

`gr4` turns rain into flow, `calibration` fits it to a river, `model` corrects it by what was just measured, `evaluation`
says how well it did.
"""
