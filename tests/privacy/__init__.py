"""Privacy proven (G6): canaries are put wherever people's data may be, everything is driven, and none comes out."""
