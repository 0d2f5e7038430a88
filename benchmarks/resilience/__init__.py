"""What a call survives, counted over many: kills, company, time."""
