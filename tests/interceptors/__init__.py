"""Tests each interceptor on a toy service with one unary and one streaming method."""
