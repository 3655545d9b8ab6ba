"""Supervision as in OTP: what is decided when a child ends, and how that is carried out."""
