"""The parts of the simulated population: dipole, heart, diseases, rhythm, noise, one visit, and the data card."""
