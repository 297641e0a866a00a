"""Evenhand: blind, side-by-side human evaluation of language-model safety."""
