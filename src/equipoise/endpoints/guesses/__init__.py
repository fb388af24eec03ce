"""Guesses of the arm: how far a trial was blind, and what its effect would be had guesses been right as often as by chance."""
