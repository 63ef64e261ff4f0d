"""What every claim about speed or quality must cite."""
