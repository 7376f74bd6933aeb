"""The portal without services: geometry, words, templates."""
