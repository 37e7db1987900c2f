"""What every loss shares besides mathematics."""
