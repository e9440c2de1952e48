import assert from 'node:assert/strict'
import { test } from 'node:test'
import { canonicalBytes, evaluate, openRuleSet } from '../src/index.js'
import { reportOf, ruleSet } from './golden.js'

const open = openRuleSet(ruleSet())
const BENIGN = reportOf('all-benign')
const fail = (error) => { throw error }
const decisionOn = (report) => evaluate(open, report, { onError: fail })

/** Answer everything else mildly. */
function withMild (change) {
  const { answers } = change
  const named = answers && !Array.isArray(answers) && typeof answers === 'object'
  return { ...BENIGN, ...change, answers: named || answers === undefined ? { ...BENIGN.answers, ...answers } : answers }
}

for (const [change, pointer, code] of [
  [{ answers: { headache: 'yes' } }, '/answers/headache', 'unknown_question'],
  [{ answers: { 'a/b~c': 'yes' } }, '/answers/a~1b~0c', 'unknown_question'],
  [{ answers: { '\ud83d': 'yes' } }, '/answers/\ufffd', 'unknown_question'],
  [{ answers: { ['\u{1f600}'.repeat(70)]: 1 } }, `/answers/${'\u{1f600}'.repeat(64)}`, 'unknown_question'],
  [{ answers: { pain_score: 7 } }, '/answers/pain_score', 'unknown_question'],
  [{ answers: { radiating_pain: 'yes' } }, '/answers/radiating_pain', 'unknown_choice'],
  [{ answers: { night_pain: true } }, '/answers/night_pain', 'unknown_choice'],
  [{ answers: [] }, '/answers', 'invalid_value'],
  [{ pain_score: 11 }, '/pain_score', 'invalid_value'],
  [{ pain_score: '7' }, '/pain_score', 'invalid_value'],
  [{ pain_score: 1.5 }, '/pain_score', 'invalid_value'],
  [{ trend: 'sideways' }, '/trend', 'unknown_choice'],
  [{ one_leg_swelling: 'yes' }, '/one_leg_swelling', 'unknown_field']
]) {
  test(`${JSON.stringify(change).slice(0, 80)} counts as not answered and leaves no all-clear`, () => {
    const decision = decisionOn(withMild(change))
    assert.deepEqual(decision.ignored, [{ pointer, code }])
    assert.equal(decision.ignored_total, 1)
    assert.equal(decision.level, 'screening_incomplete')
    assert.equal(decision.screening_complete, false)
    assert.equal(decision.activities.status, 'caution')
    canonicalBytes(decision)
  })
}

test('a name that every object inherits is a question like any other', () => {
  const report = withMild({ answers: JSON.parse('{"constructor": "yes", "__proto__": "yes"}') })
  assert.deepEqual(decisionOn(report).ignored, [
    { pointer: '/answers/__proto__', code: 'unknown_question' },
    { pointer: '/answers/constructor', code: 'unknown_question' }
  ])
})

for (const change of [{ country: 'Spain' }, { country: 34 }, { mood: 'low' }]) {
  test(`${JSON.stringify(change)} is ignored and changes no level`, () => {
    const decision = decisionOn(withMild(change))
    assert.equal(decision.ignored_total, 1)
    assert.equal(decision.level, 'self_care')
    assert.equal(decision.screening_complete, true)
  })
}

test('a whole report is evaluated as it is, and null is no answer to anything', () => {
  const beside = { id: '7', reported_at: null, local_date: 1, time_zone: 'x', note: '', device_decision: {} }
  const decision = decisionOn(withMild({ ...beside, answers: { headache: null, weeks: null } }))
  assert.deepEqual(decision, decisionOn(BENIGN))
})

test('a country in lower case and an unknown number are understood', () => {
  const decision = decisionOn(withMild({ country: 'gb', age_years: 'unknown', answers: { fever: 'yes' } }))
  assert.deepEqual(decision.ignored, [])
  assert.match(JSON.stringify(decision.actions), /111/)
})
