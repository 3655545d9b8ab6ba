"""What every actor exports."""
