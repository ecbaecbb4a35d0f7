"""What travels between the loop and its nodes, said once."""
