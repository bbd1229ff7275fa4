"""Training in stages: wavelet, entropy model, everything, machine tasks."""
