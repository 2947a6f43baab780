"""The two protocols: the simulated Eve as trained, and fresh Eves of several capacities."""
