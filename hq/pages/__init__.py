"""The six places and what they share. A page builds its shape at once, then looks at the centre again and again."""
