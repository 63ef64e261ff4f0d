"""What every promise about reliability must cite; for Linux."""
