#!/usr/bin/env node
// JSON lines in, canonical JSON lines out, to compare this evaluator with any other.
//
// A line `{"rule_set": …, "trusted_keys": […]}` names the rule set for those behind it. Every other
// line is answered with one: a report vector (without its decision) with the decision, a session
// vector (without its advice) with the advice, a screen vector with the screen and what confirming it
// answers, `{"history": […]}` with the history facts.
import { createInterface } from 'node:readline'
import { once } from 'node:events'
import {
  advise, canonicalBytes, confirmScreen, evaluate, historyFacts, nextScreen, openRuleSet
} from '../src/index.js'

let ruleSet = null

function answer (line) {
  if ('rule_set' in line) {
    ruleSet = openRuleSet(line.rule_set, { trustedKeys: line.trusted_keys })
    return null
  }
  if ('skipped' in line) {
    const { skipped, history_facts: historyFacts, report } = line
    const screen = nextScreen(ruleSet, report, { skipped, historyFacts })
    return { screen, confirmation: screen === null ? {} : confirmScreen(ruleSet, screen) }
  }
  if ('history' in line) return historyFacts(line.history)
  if ('pain_after' in line) {
    const pain = { painBefore: line.pain_before, painAfter: line.pain_after }
    return advise(ruleSet, pain, { language: line.language })
  }
  return evaluate(ruleSet, line.report, {
    language: line.language,
    evaluatedAt: line.evaluated_at,
    reportId: line.report_id,
    reportedAt: line.reported_at,
    localDate: line.local_date,
    historyFacts: line.history_facts,
    onError: (error) => console.error(String(error))
  })
}

for await (const text of createInterface({ input: process.stdin })) {
  const found = answer(JSON.parse(text))
  if (found !== null && !process.stdout.write(`${canonicalBytes(found)}\n`)) {
    await once(process.stdout, 'drain')
  }
}
