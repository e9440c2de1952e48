import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CANNOT_EVALUATE, evaluate, openRuleSet } from '../src/index.js'
import { contentHash } from '../src/canonical.js'
import { hashedBytes } from '../src/integrity.js'
import { reportOf, ruleSet } from './golden.js'

const BENIGN = reportOf('all-benign')
const AT = '2026-11-22T12:00:00Z'

/** Change a rule set and name it anew, as if it had been published like this. */
function republished (change) {
  const document = ruleSet()
  change(document)
  document.hash = contentHash(JSON.parse(hashedBytes(document)))
  return document
}

function rule (document, id) {
  return document.rules.find((entry) => entry.id === id)
}

function assertCautious (document, report = BENIGN, options = {}) {
  const errors = []
  const decision = evaluate(document, report, {
    evaluatedAt: AT, onError: (error) => errors.push(error), ...options
  })
  assert.equal(decision.actions[0].code, CANNOT_EVALUATE)
  assert.equal(decision.level, 'urgent')
  assert.equal(decision.possible_level, 'emergency')
  assert.equal(decision.see_professional, true)
  assert.equal(decision.screening_complete, false)
  assert.equal(decision.activities.status, 'stop')
  assert.equal(errors.length, 1)
  return { decision, message: errors[0].message }
}

test('code from strings is switched off, as in apps', () => {
  assert.throws(() => (0, eval)('1'), EvalError)
})

test('a report in which nothing stands out is self care, so that the tests below say something', () => {
  assert.equal(evaluate(ruleSet(), BENIGN).level, 'self_care')
})

test('a rule set for another engine gives the cautious outcome', () => {
  const document = republished((entry) => { entry.engine = 'footing-triage/3' })
  assert.match(assertCautious(document).message, /needs footing-triage\/3/)
})

test('a rule set that is not what its hash names gives the cautious outcome', () => {
  const document = ruleSet()
  rule(document, 'E01').level = 'see_professional'
  assert.match(assertCautious(document).message, /not what its hash names/)
})

test('a review, a signature and a withdrawal of another rule set change no hash', () => {
  const document = ruleSet()
  document.review.status = 'clinically_reviewed'
  document.signature = { algorithm: 'ed25519', key_id: '0'.repeat(64), value: '' }
  document.withdrawn = [{ hash: '0'.repeat(64), reason: 'x', withdrawn_at: AT }]
  assert.equal(openRuleSet(document).fault, null)
})

test('a rule set as it is found by its hash, with nothing beside it, may be used', () => {
  const { review, signature, withdrawn, ...document } = ruleSet()
  assert.equal(openRuleSet(document).fault, null)
})

test('a withdrawn rule set gives the cautious outcome', () => {
  const document = ruleSet()
  const withdrawn = [{ hash: document.hash, reason: 'x', withdrawn_at: AT }]
  assert.match(assertCautious(document, BENIGN, { withdrawn }).message, /withdrawn/)
  assert.match(assertCautious({ ...document, withdrawn }).message, /withdrawn/)
})

for (const [what, change] of Object.entries({
  'a kind of fact': (document) => { document.facts[0].kind = 'at_most_twice' },
  'a kind of session fact': (document) => { document.session_facts[0].kind = 'x' },
  'a level': (document) => { rule(document, 'P01').level = 'soon' },
  levels: (document) => { document.levels.pop() },
  'an action': (document) => { rule(document, 'P01').action = 'phone_a_friend' },
  'an activity status': (document) => { document.actions[0].activities = 'rest' }
})) {
  test(`${what} that the evaluator does not know gives the cautious outcome`, () => {
    assert.match(assertCautious(republished(change)).message, /does not know/)
  })
}

for (const broken of [null, undefined, {}, [], 'text', 7]) {
  test(`${JSON.stringify(broken)} instead of a rule set gives the cautious outcome`, () => {
    const { decision } = assertCautious(broken)
    assert.equal(decision.rule_set_version, null)
    assert.equal(decision.rule_set_hash, null)
  })
}

for (const report of [null, [], 'text', 7]) {
  test(`${JSON.stringify(report)} instead of a report gives the cautious outcome`, () => {
    assert.match(assertCautious(ruleSet(), report).message, /a report is an object/)
  })
}

for (const options of [
  { language: 'fr' }, { evaluatedAt: 'today' }, { reportId: '7' }, { localDate: 'yesterday' }
]) {
  test(`${JSON.stringify(options)} gives the cautious outcome`, () => {
    assertCautious(ruleSet(), BENIGN, options)
  })
}

test('the cautious outcome speaks the language that was asked for, where it can', () => {
  const document = republished((entry) => { entry.engine = 'footing-triage/3' })
  assert.equal(assertCautious(document, BENIGN, { language: 'es' }).decision.language, 'es')
  assert.equal(assertCautious(document, BENIGN, { language: 'fr' }).decision.language, 'en')
})

for (const condition of [
  { no_such_operator: [1] },
  { '!': [{ var: 'fever' }] },
  { throw: 'broken' },
  { var: 'no_such_fact' },
  { var: ['fever'] },
  { '===': [{ var: 'fever' }] },
  { and: [] },
  { in: [{ var: 'fever' }, 'true'] },
  true,
  {}
]) {
  test(`a rule of ${JSON.stringify(condition)} counts as fired and silences no other`, () => {
    const document = republished((entry) => { rule(entry, 'U03').condition = condition })
    const open = openRuleSet(document)
    assert.equal(evaluate(open, BENIGN).level, 'urgent')
    assert.deepEqual(evaluate(open, BENIGN).actions.map(({ code }) => code), ['same_day'])
    const report = reportOf('saddle-numbness-without-pain')
    assert.equal(evaluate(open, report).level, 'emergency')
  })
}

test('a rule set that was changed after it was opened decides as it was', () => {
  const document = ruleSet()
  const open = openRuleSet(document)
  document.rules.length = 0
  assert.equal(evaluate(open, reportOf('saddle-numbness-without-pain')).level, 'emergency')
})

test('a rule set that was not confirmed for too long gives the cautious outcome', () => {
  const document = ruleSet()
  const confirmed = Date.parse(AT) - document.max_offline_age_seconds * 1000
  const inTime = { evaluatedAt: AT, confirmedAt: new Date(confirmed) }
  assert.equal(evaluate(document, BENIGN, inTime).level, 'self_care')
  const tooLate = { confirmedAt: new Date(confirmed - 1000) }
  assert.match(assertCautious(document, BENIGN, tooLate).message, /last confirmed 2592001 seconds/)
})

test('what an old rule set finds is still told where it is at least as serious', () => {
  const old = { evaluatedAt: AT, confirmedAt: '2020-01-01T00:00:00Z' }
  const emergency = evaluate(ruleSet(), reportOf('saddle-numbness-without-pain'), old)
  assert.equal(emergency.reasons[0].rule_id, 'E01')
  assert.equal(evaluate(ruleSet(), reportOf('article-radiating-pain'), old).level, 'urgent')
})
