"""What people want: pauses, orders, and the selections that they are about."""
