// Canonical JSON (RFC 8785), by a library of one of the RFC's authors, and hashes made of it.
import { createHash } from 'node:crypto'
import canonicalize from 'canonicalize'

/** The one byte string that stands for a JSON value; throws for a lone surrogate. */
export function canonicalBytes (value) {
  return Buffer.from(canonicalize(value), 'utf8')
}

/** SHA-256 in lower-case hexadecimal. */
export function sha256 (bytes) {
  return createHash('sha256').update(bytes).digest('hex')
}

export function contentHash (value) {
  return sha256(canonicalBytes(value))
}
