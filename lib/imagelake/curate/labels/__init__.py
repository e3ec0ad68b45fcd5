"""Labels: what is probably wrong, what several annotators agree on, baselines to judge by."""
