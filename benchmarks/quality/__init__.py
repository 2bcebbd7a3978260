"""What bench_quality.py is made of: its pictures, measures, peers and report."""
