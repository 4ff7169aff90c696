"""Keeps the runners alive and fans the bot's traffic across them."""
