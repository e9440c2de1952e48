"""Sessions, symptom reports and the decisions on them."""
