"""What every policy costs, exactly or by paired simulation."""
