"""Everything that touches verl and Ray; nothing outside this package imports them."""
