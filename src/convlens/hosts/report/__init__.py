"""The report: the viewer, a network and its maps in one HTML file that needs nothing else."""
