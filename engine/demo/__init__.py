"""The provider `demo`: no key, no network, a story worth looking at."""
