"""The doctor's checks: each looks at one thing and gives back findings; none changes anything."""
