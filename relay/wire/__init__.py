"""Pure codecs: bytes to messages and back, one module for each dialect."""
