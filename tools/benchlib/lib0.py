"""The two primitives of lib0 that the load generator needs."""


def read_var_uint(data: bytes, position: int) -> tuple[int, int]:
    """Return the number at ``position`` and the position after it."""
    byte = data[position]
    position += 1
    if byte < 0x80:
        return byte, position
    value = byte & 0x7F
    shift = 7
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7


def read_var_bytes(data: bytes, position: int) -> tuple[bytes, int]:
    """Return the varUint8Array at ``position`` and the position after it."""
    length, start = read_var_uint(data, position)
    end = start + length
    if end > len(data):
        raise IndexError("a varUint8Array reaches beyond the end")
    return data[start:end], end


def write_var_uint(value: int) -> bytes:
    """Return the encoding of ``value``."""
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
