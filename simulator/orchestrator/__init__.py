"""What runs a demo: the processes of whole shops, the clock they follow, the kills they must survive, and the books."""
