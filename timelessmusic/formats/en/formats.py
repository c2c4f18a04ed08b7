"""Short days and times, where Django's own are America's: Nov. 26, 2026, 1:20 a.m."""

DATE_FORMAT = "j M Y"
DATETIME_FORMAT = "j M Y, H:i"
SHORT_DATETIME_FORMAT = "j M, H:i"
