"""Reads Prometheus' text format with Prometheus' own parser for Python and prints it as JSON."""

import json
import sys

from prometheus_client.parser import text_string_to_metric_families

families = [
    {
        # The parser takes the ending off.
        "name": family.name + ("_total" if family.type == "counter" else ""),
        "type": family.type,
        "help": family.documentation,
        "samples": [{"name": s.name, "labels": s.labels, "value": s.value} for s in family.samples],
    }
    for family in text_string_to_metric_families(sys.stdin.read())
]
json.dump(families, sys.stdout, allow_nan=False)
