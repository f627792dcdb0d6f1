"""Third-party RL libraries on `wideseek_env.parallel_env(interface="discrete")`, a script each."""
