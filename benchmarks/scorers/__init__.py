"""What scorers and page readers get right, and what cheating is paid."""
