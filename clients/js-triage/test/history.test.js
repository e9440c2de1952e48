import assert from 'node:assert/strict'
import { test } from 'node:test'
import { canonicalBytes, historyFacts } from '../src/index.js'

const report = (number, date, pain) => ({
  id: `00000000-0000-4000-8000-00000000000${number}`,
  reported_at: `${date}T10:00:00Z`,
  pain_score: pain
})
const factsOf = (reports) => historyFacts(reports).map((entry) => entry.history_facts)

test('six weeks to the second are not yet persistent, a second more is', () => {
  const first = report(1, '2026-01-01', 3)
  const six = report(2, '2026-02-12', 3)
  assert.deepEqual(factsOf([first, six]), [[], []])
  const more = { ...six, reported_at: '2026-02-12T10:00:01Z' }
  assert.deepEqual(factsOf([first, more]), [[], ['persistent_in_history']])
})

test('a rise of two since the first score of the episode is told', () => {
  const reports = [report(1, '2026-01-01', null), report(2, '2026-01-02', 3), report(3, '2026-01-03', 5)]
  assert.deepEqual(factsOf(reports), [[], [], ['pain_risen_in_history']])
})

test('a pain-free report ends an episode and has no history facts', () => {
  const reports = [report(1, '2026-01-01', 3), report(2, '2026-03-01', 0), report(3, '2026-03-02', 9)]
  assert.deepEqual(factsOf(reports), [[], [], []])
})

test('the order in which reports are given makes no difference', () => {
  const reports = [
    report(3, '2026-01-03', 5), report(1, '2026-01-01', 3), { ...report(2, '2026-01-01', 0) }
  ]
  assert.deepEqual(historyFacts(reports), historyFacts(reports.toReversed()))
  assert.deepEqual(historyFacts(reports).map(({ id }) => id.at(-1)), ['1', '2', '3'])
})

test('canonical bytes sort keys, write whole numbers without a point, and refuse half a character', () => {
  assert.equal(String(canonicalBytes({ b: 3.0, a: 'é', '€': null })), '{"a":"é","b":3,"€":null}')
  assert.throws(() => canonicalBytes({ a: '\ud800' }), /surrogate/)
})
