"""Whom the shop is measured against: the same sale and the same mail, written as the tutorials have it."""
