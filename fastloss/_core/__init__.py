"""What every loss shares besides mathematics."""

VERSION = "0.1.0"
