/**
 * CRC-32C (RFC 3720, Appendix B.4), by which Google Cloud KMS and those who ask it see that nothing was damaged on the way. It
 * protects from nobody.
 */
const POLYNOMIAL = 0x82f63b78

export function crc32c(bytes: Uint8Array): number {
  let rest = 0xffffffff
  for (const byte of bytes) {
    rest ^= byte
    for (let bit = 0; bit < 8; bit++) rest = rest & 1 ? (rest >>> 1) ^ POLYNOMIAL : rest >>> 1
  }
  return ~rest >>> 0
}
