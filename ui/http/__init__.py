"""What every server of ours needs: listening, who may ask, how much, how often."""
