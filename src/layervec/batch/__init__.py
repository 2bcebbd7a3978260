"""Many pictures: rows in, drawings and a manifest out, and nothing lost on the way.

    rows.gather -> engine (local.run or ray.run: seat -> worker -> work) -> place, journal -> manifest

`run.py` knows this order. Importing this package imports nothing else.
"""
