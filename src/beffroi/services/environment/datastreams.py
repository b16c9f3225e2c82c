"""Kinds of datastream: French names, UCUM units, plausible ranges, and the names under which series arrive.

Ranges are wider than the records of mainland France (Météo-France: −36.7 °C in 1985, 46.0 °C in 2019): what is
outside is suspect, never refused. `max_step` is between two neighbouring values of a ten-minute series
(WMO-No. 8, annex on quality control, rounded up).
"""

from beffroi.model.declaration import DatastreamKind
from beffroi.model.text import Text

__all__ = ["DATASTREAMS"]

_ISTSOS = "urn:ogc:def:parameter:x-istsos:1.0:"
_QUDT = "http://qudt.org/vocab/quantitykind/"
_EEA = "http://dd.eionet.europa.eu/vocabulary/aq/pollutant/"

DATASTREAMS = (
    # --- weather
    DatastreamKind(
        "temperature", Text("Température", "Temperature"), "°C", "Cel", "degree Celsius", _QUDT + "Temperature",
        -40, 55, 10, (_ISTSOS + "meteo:air:temperature", "air_temperature", "temp", "t", "temperature_chn1", "tair",
                      "température"),
    ),
    DatastreamKind(
        "humidity", Text("Humidité relative", "Relative humidity"), "%", "%", "percent", _QUDT + "RelativeHumidity",
        0, 100, 40, (_ISTSOS + "meteo:air:humidity:relative", _ISTSOS + "meteo:air:humidity", "relative_humidity", "rh",
                     "hum", "humidité", "humidite"), 0,
    ),
    DatastreamKind(
        "pressure", Text("Pression au niveau de la mer", "Pressure at sea level"), "hPa", "hPa", "hectopascal",
        _QUDT + "AtmosphericPressure", 900, 1070, 8,
        (_ISTSOS + "meteo:air:pressure", "barometric_pressure", "atmospheric_pressure", "pression"),
    ),
    DatastreamKind(
        "wind_speed", Text("Vent moyen", "Mean wind"), "m/s", "m/s", "metre per second", _QUDT + "WindSpeed", 0, 60, 25,
        (_ISTSOS + "meteo:wind:speed", _ISTSOS + "meteo:wind:velocity", "windspeed", "wind_avg", "vent"),
    ),
    DatastreamKind(
        "wind_gust", Text("Rafale", "Gust"), "m/s", "m/s", "metre per second", _QUDT + "WindSpeed", 0, 90, 45,
        (_ISTSOS + "meteo:wind:speed:max", "gust", "wind_max", "rafale"),
    ),
    DatastreamKind(
        "wind_direction", Text("Direction du vent", "Wind direction"), "°", "deg", "degree", _QUDT + "Angle", 0, 360, None,
        (_ISTSOS + "meteo:wind:direction", "winddirection", "wind_dir"), 0,
    ),
    DatastreamKind(
        "rain", Text("Pluie", "Rain"), "mm", "mm", "millimetre", _QUDT + "Precipitation", 0, 60, None,
        (_ISTSOS + "meteo:air:rainfall", _ISTSOS + "meteo:rainfall", "rainfall", "precipitation", "rr", "pluie"),
    ),
    DatastreamKind(
        "solar_radiation", Text("Rayonnement solaire", "Solar radiation"), "W/m²", "W/m2", "watt per square metre",
        _QUDT + "Irradiance", 0, 1500, None, (_ISTSOS + "meteo:solar:radiation", "solar", "irradiance", "rayonnement"), 0,
    ),
    # --- air
    DatastreamKind(
        "no2", Text("Dioxyde d'azote (NO₂)", "Nitrogen dioxide (NO₂)"), "µg/m³", "ug/m3", "microgram per cubic metre",
        _EEA + "8", 0, 1000, None, ("dioxyde d'azote", "nitrogen_dioxide"),
    ),
    DatastreamKind(
        "pm10", Text("Particules PM10", "PM10 particles"), "µg/m³", "ug/m3", "microgram per cubic metre", _EEA + "5",
        0, 1000, None, ("particules pm10", "particules fines pm10", "pm_10", "pm10_0"),
    ),
    DatastreamKind(
        "pm25", Text("Particules PM2,5", "PM2.5 particles"), "µg/m³", "ug/m3", "microgram per cubic metre", _EEA + "6001",
        0, 800, None, ("particules fines pm2,5", "particules fines pm2.5", "particules pm2,5", "particules pm2.5", "pm2.5", "pm2,5", "pm2_5", "pm_2_5"),
    ),
    DatastreamKind(
        "o3", Text("Ozone (O₃)", "Ozone (O₃)"), "µg/m³", "ug/m3", "microgram per cubic metre", _EEA + "7", 0, 600, None,
        ("ozone",),
    ),
    DatastreamKind(
        "so2", Text("Dioxyde de soufre (SO₂)", "Sulphur dioxide (SO₂)"), "µg/m³", "ug/m3", "microgram per cubic metre",
        _EEA + "1", 0, 1500, None, ("dioxyde de soufre", "sulphur_dioxide", "sulfur_dioxide"),
    ),
    DatastreamKind(
        "co2", Text("Dioxyde de carbone (CO₂)", "Carbon dioxide (CO₂)"), "ppm", "[ppm]", "part per million",
        _QUDT + "MoleFraction", 300, 10_000, 3000, ("carbon_dioxide", "dioxyde de carbone"), 0,
    ),
    # --- river
    DatastreamKind(
        "river_level", Text("Hauteur d'eau", "Water level"), "m", "m", "metre", _QUDT + "Height", -5, 20, 1,
        (_ISTSOS + "river:water:height", _ISTSOS + "river:water:level", "water_level", "stage", "hauteur"), 2,
    ),
    # --- noise and slopes
    DatastreamKind(
        "laeq", Text("Niveau sonore équivalent (LAeq)", "Equivalent sound level (LAeq)"), "dB(A)", "dB(A)", "decibel A",
        _QUDT + "SoundPressureLevel", 15, 130, None, ("leq_a", "sound_level", "niveau sonore"),
    ),
    DatastreamKind(
        "tilt", Text("Inclinaison", "Tilt"), "°", "deg", "degree", _QUDT + "Angle", -90, 90, 5, ("inclination", "inclinaison", "inclinometre"), 3,
    ),
    DatastreamKind(
        "crack", Text("Ouverture de fissure", "Crack opening"), "mm", "mm", "millimetre", _QUDT + "Length", -50, 500, 20,
        ("crack_width", "fissure", "fissurometre"), 2,
    ),
    DatastreamKind(
        "displacement", Text("Déplacement", "Displacement"), "mm", "mm", "millimetre", _QUDT + "Displacement", -10_000, 10_000, 500,
        ("deplacement", "déplacement", "extensometre"), 1,
    ),
    # --- counts over an interval
    DatastreamKind(
        "bicycles", Text("Passages de vélos", "Bicycle passages"), "vélos", "{bicycle}", "bicycle", _QUDT + "Count",
        0, 20_000, None, ("bicycle", "velo", "vélos", "velos", "vélo"), 0,
    ),
    DatastreamKind(
        "pedestrians", Text("Passages de piétons", "Pedestrian passages"), "piétons", "{pedestrian}", "pedestrian",
        _QUDT + "Count", 0, 50_000, None, ("pedestrian", "pieton", "piétons", "pietons", "piéton"), 0,
    ),
    DatastreamKind(
        "vehicles", Text("Passages de véhicules", "Vehicle passages"), "véhicules", "{vehicle}", "vehicle", _QUDT + "Count",
        0, 20_000, None, ("vehicle", "vehicule", "véhicules", "vehicules", "véhicule"), 0,
    ),
    DatastreamKind(
        "count", Text("Comptage", "Count"), "passages", "{passage}", "passage", _QUDT + "Count", 0, 50_000, None,
        ("comptage", "total_count"), 0,
    ),
)  # fmt: skip
