import assert from 'node:assert/strict'
import { generateKeyPairSync, sign } from 'node:crypto'
import { test } from 'node:test'
import { keyId, openRuleSet } from '../src/index.js'
import { hashedBytes } from '../src/integrity.js'
import { ruleSet } from './golden.js'

const pem = (key) => key.export({ type: 'spki', format: 'pem' })
const ours = generateKeyPairSync('ed25519')
const another = generateKeyPairSync('ed25519')
const trustedKeys = [pem(another.publicKey), pem(ours.publicKey)]

function signed (change = {}) {
  const document = ruleSet()
  const value = sign(null, hashedBytes(document), ours.privateKey).toString('base64')
  const signature = { algorithm: 'ed25519', key_id: keyId(pem(ours.publicKey)), value }
  return { ...document, signature: { ...signature, ...change } }
}

test('a rule set that a trusted key has signed may be used', () => {
  assert.equal(openRuleSet(signed(), { trustedKeys }).fault, null)
})

test('a signature is not asked for where no key is trusted', () => {
  assert.equal(openRuleSet(ruleSet()).fault, null)
})

for (const [what, document, message] of [
  ['a rule set without a signature', ruleSet(), /is not signed/],
  ['a signature by another key', signed({ key_id: '0'.repeat(64) }), /key that is not trusted/],
  ['a signature under the name of another key', signed({ key_id: keyId(trustedKeys[0]) }), /wrong/],
  ['a signature of another algorithm', signed({ algorithm: 'ed448' }), /wrong/],
  ['a damaged signature', signed({ value: `AAAA${signed().signature.value.slice(4)}` }), /wrong/],
  ['a cut signature', signed({ value: '' }), /wrong/]
]) {
  test(`${what} keeps a rule set from being used`, () => {
    assert.match(openRuleSet(document, { trustedKeys }).fault.message, message)
  })
}

test('a list of no trusted keys trusts nobody', () => {
  assert.match(openRuleSet(signed(), { trustedKeys: [] }).fault.message, /not trusted/)
})

test('a trusted key that is no Ed25519 key is refused', () => {
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey
  assert.match(openRuleSet(signed(), { trustedKeys: [pem(rsa)] }).fault.message, /not an Ed25519 key/)
})
