"""How fast the environment, the driver and the engines are."""
