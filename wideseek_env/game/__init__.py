"""The game: its rules, tools, rewards and credit; it knows no policies, tokens or spaces."""
