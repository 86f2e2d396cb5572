"""Reference federated-learning workload for power measurements. Knows nothing of markers: the hooks see its phases."""
