import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  advise, canonicalBytes, confirmScreen, evaluate, nextScreen, openRuleSet
} from '../src/index.js'
import { reports, ruleSet, screens, sessions } from './golden.js'

const open = openRuleSet(ruleSet())
const fail = (error) => { throw error }

test('there are golden cases, and a rule set that may be used', () => {
  assert.equal(open.fault, null)
  assert.ok(reports.length > 200)
  assert.ok(sessions.length > 10)
  assert.ok(screens.length > 40)
})

for (const vector of reports) {
  test(`${vector.name} gets the same bytes`, () => {
    const decision = evaluate(open, vector.report, {
      language: vector.language,
      evaluatedAt: vector.evaluated_at,
      reportId: vector.report_id,
      reportedAt: vector.reported_at,
      localDate: vector.local_date,
      historyFacts: vector.history_facts,
      onError: fail
    })
    assert.deepEqual(decision, vector.decision)
    assert.ok(canonicalBytes(decision).equals(canonicalBytes(vector.decision)))
  })
}

for (const { name, pain_before: painBefore, pain_after: painAfter, language, advice } of sessions) {
  test(`${name} gets the same bytes`, () => {
    const found = advise(open, { painBefore, painAfter }, { language })
    assert.deepEqual(found, advice)
    assert.ok(canonicalBytes(found).equals(canonicalBytes(advice)))
  })
}

for (const { name, report, history_facts: historyFacts, skipped, screen, confirmation } of screens) {
  test(`${name} gets the same screen`, () => {
    const found = nextScreen(open, report, { skipped, historyFacts })
    assert.deepEqual(found, screen)
    assert.deepEqual(found === null ? {} : confirmScreen(open, found), confirmation)
  })
}
