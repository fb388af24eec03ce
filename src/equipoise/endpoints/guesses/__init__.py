"""Guesses of the arm: how far a trial was blind, and what its effect would be at other rates of correct guesses."""
