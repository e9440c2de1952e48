// Whether a rule set is whole, whose it is, and whether this evaluator may use it.
// docs/triage-spec.md, "Rule sets".
import { createPublicKey, verify } from 'node:crypto'
import { canonicalBytes, sha256 } from './canonical.js'

export const ENGINE = 'footing-triage/2'
/** What stands in the document without being part of what the hash names. */
const UNHASHED = ['hash', 'review', 'signature', 'withdrawn']
const KINDS = ['answer', 'at_least', 'at_most', 'both_sides', 'any', 'all', 'not_given', 'history']
const LEVELS = ['self_care', 'screening_incomplete', 'see_professional', 'urgent', 'emergency']
const STATUSES = ['continue', 'caution', 'pause', 'stop']

/** The bytes that the hash and the signature are made of. */
export function hashedBytes (document) {
  const hashed = Object.entries(document).filter(([name]) => !UNHASHED.includes(name))
  return canonicalBytes(Object.fromEntries(hashed))
}

/** Name a public key: the SHA-256 of its 32 raw bytes. */
export function keyId (publicKey) {
  const { crv, x } = createPublicKey(publicKey).export({ format: 'jwk' })
  if (crv !== 'Ed25519') throw new Error('a trusted key is not an Ed25519 key')
  return sha256(Buffer.from(x, 'base64url'))
}

function checkSignature (signature, bytes, trustedKeys) {
  if (!signature) throw new Error('the rule set is not signed')
  const key = trustedKeys.find((candidate) => keyId(candidate) === signature.key_id)
  if (key === undefined) throw new Error('the rule set is signed by a key that is not trusted')
  const value = Buffer.from(signature.value, 'base64')
  if (signature.algorithm !== 'ed25519' || !verify(null, bytes, createPublicKey(key), value)) {
    throw new Error('the signature of the rule set is wrong')
  }
}

function need (holds, what) {
  if (!holds) throw new Error(`the rule set has ${what} that this evaluator does not know`)
}

function checkWords (document) {
  const codes = new Set(document.actions.map(({ code }) => code))
  const levels = document.levels.toSorted((one, other) => one.rank - other.rank)
  need(String(levels.map(({ id }) => id)) === String(LEVELS), 'levels')
  need([...document.facts, ...document.session_facts].every(({ kind }) => KINDS.includes(kind)),
    'a kind of fact')
  need(document.actions.every(({ activities }) => STATUSES.includes(activities)),
    'an activity status')
  const rules = [...document.rules, ...document.session_rules]
  need(rules.every(({ level }) => LEVELS.includes(level)), 'a level')
  const named = [...rules.map(({ action }) => action), document.incomplete_action,
    ...document.complete_actions.map(({ action }) => action)]
  need(named.every((code) => codes.has(code)), 'an action')
}

/** Throw for a rule set that must not be used; the message says why. */
export function checkRuleSet (document, { trustedKeys, withdrawn = [] } = {}) {
  if (document.engine !== ENGINE) {
    throw new Error(`the rule set needs ${document.engine}, this is ${ENGINE}`)
  }
  const bytes = hashedBytes(document)
  if (sha256(bytes) !== document.hash) throw new Error('the rule set is not what its hash names')
  if (trustedKeys !== undefined) checkSignature(document.signature, bytes, trustedKeys)
  const gone = [...withdrawn, ...(document.withdrawn ?? [])]
  if (gone.some(({ hash }) => hash === document.hash)) throw new Error('the rule set was withdrawn')
  checkWords(document)
}
