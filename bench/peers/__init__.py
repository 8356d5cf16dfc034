"""What the benches hold the project against, written as each one's own documentation teaches."""
