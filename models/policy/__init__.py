"""The learned replenishment policy: instances, the network's order, exact and simulated costs, and the optimum."""
