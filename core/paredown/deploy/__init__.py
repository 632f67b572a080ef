"""From an exported network to a deployed file: canonical graph, calibration, QDQ, verification, measurement."""
