"""What the scripts of bin/ share."""
