"""Reading published figures: estimates, tables and series, as JSON, CSV and FHIR."""
