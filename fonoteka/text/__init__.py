"""Text as written to words as spoken: Bosnian, Croatian, Serbian, English."""
