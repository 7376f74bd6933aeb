"""How many changed copies of the pure modules the tests tell from the true one."""
