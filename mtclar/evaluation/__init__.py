"""How good the labels are: metrics, baselines, protocols and cluster bootstrap. Numpy only, no files, no torch."""
