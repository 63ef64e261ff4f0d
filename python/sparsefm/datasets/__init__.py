"""Example datasets."""

from sparsefm.datasets.flights import Flights, FlightsTable, load_flights, load_flights_table

__all__ = ["Flights", "FlightsTable", "load_flights", "load_flights_table"]
