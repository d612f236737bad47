"""What augmentation recipes are worth on voices that training did not see."""
