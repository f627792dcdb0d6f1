"""PPO of a whole team on the discrete interface: lessons first, then play."""
